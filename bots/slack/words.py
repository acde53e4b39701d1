"""Words that only the Slack adapter needs; the sentences for errors are in `bots/replies.py`."""

from __future__ import annotations

UNKNOWN_YET = "Slack has not told me yet whether you are a member of this workspace. Please ask again in a minute."
LATE = "This takes longer than usual. You hear from me here as soon as I can."
