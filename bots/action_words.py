"""The words on the buttons below announcements, by their kind."""

from __future__ import annotations

_LABELS = {"top_up": "+ $5 for this month"}


def action_label(kind: str) -> str:
    """What a button says. Raises KeyError for a kind without words."""
    return _LABELS[kind]
