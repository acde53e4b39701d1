"""What `make run` does: the newest schema and the service, or the playground while no platform is set up."""

from __future__ import annotations

import os
import sys

from bots.__main__ import main
from core.errors import SettingsError
from core.settings import Settings


def start() -> None:
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"bise: {error}\n")
        sys.exit(2)
    if not settings.has_platform:
        sys.stderr.write("No platform token is set, so this is the playground: nothing leaves this machine")
        sys.stderr.write(" but what you ask the model that is set up.\n" if settings.has_model else ".\n")
        main(["playground"])
    try:
        main(["migrate"])
    except SystemExit as done:
        if done.code:
            raise
    main(["serve"])


if __name__ == "__main__":
    start()
