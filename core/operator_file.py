"""A TOML file as it is written by an operator, or comes with Bise; what is wrong with it is said in plain words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """The file's TOML. Raises ValueError, one line that says why there is none to read."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except OSError as error:
        raise ValueError(error.strerror or "it cannot be read") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8: save it as UTF-8") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is no TOML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ValueError("its brackets are nested too deeply") from error
    except ValueError as error:  # more digits than Python reads
        raise ValueError("a number in it is too long") from error
