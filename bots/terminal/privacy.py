"""`bise privacy record`: what this installation processes, for whom, where."""

from __future__ import annotations

import dataclasses
import json
import sys

from bots.record_words import sections
from core.mistral.providers import configured
from core.privacy import record
from core.settings import Settings


def show_record(settings: Settings, *, as_json: bool) -> int:
    """Prints the entry for the records of processing. Raises SettingsError for homes that cannot be used as set."""
    configured.provider(settings)  # what the service would not start with is no record of it
    entry = record.record(settings)
    written = sections(entry)
    if as_json:
        told = {"record": {name: list(lines) for name, lines in written}, "settings": dataclasses.asdict(entry)}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return 0
    for name, lines in written:
        sys.stdout.write(f"{name}\n" + "".join(f"  - {line}\n" for line in lines))
    return 0
