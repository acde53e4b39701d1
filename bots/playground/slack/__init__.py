"""A simulated Slack at its real protocol: Web API, Socket Mode, signed HTTP events, files, streams."""

from __future__ import annotations

from bots.playground.slack.blocks import Button
from bots.playground.slack.faults import SlackFaults
from bots.playground.slack.posts import SlackPost, UploadedFile
from bots.playground.slack.records import ApiCall, CommandOutcome, Delivery
from bots.playground.slack.simulator import SlackSimulator

__all__ = [
    "ApiCall",
    "Button",
    "CommandOutcome",
    "Delivery",
    "SlackFaults",
    "SlackPost",
    "SlackSimulator",
    "UploadedFile",
]
