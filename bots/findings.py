"""What a check found out, for `bise doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is as it should be, what was seen, and (when not ok) how to mend it."""

    ok: bool
    what: str
    mend: str = ""
