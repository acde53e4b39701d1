"""What the Slack app must be allowed and be told: `deploy/slack-manifest.yaml` grants exactly this."""

from __future__ import annotations

# Scope → what it is for; `bise doctor` names both.
SCOPES = {
    "app_mentions:read": "hear mentions",
    "assistant:write": "show what it is doing while the model has not spoken",
    "channels:history": "hear follow-ups in public channels",
    "chat:write": "answer",
    "commands": "/bise",
    "files:read": "read attached images",
    "files:write": "show the picture of a report, and give its table",
    "groups:history": "hear follow-ups in private channels",
    "im:history": "hear direct messages",
    "im:write": "write to admins privately",
    "mpim:history": "hear follow-ups in group conversations",
    "users:read": "know people's names, and who is a guest",
}

MESSAGE_EVENTS = ("message.channels", "message.groups", "message.im", "message.mpim")
EVENTS = ("app_mention", *MESSAGE_EVENTS)
COMMAND = "/bise"
EVENTS_PATH = "/slack/events"

# The message shortcut: what an answer has cost.
COST_SHORTCUT = "bise_cost"

# The one button so far; its value is the id of a control.
CONTROL_ACTION = "bise:control"
