"""A simulated Discord at its real protocol: REST v10, gateway with RESUME, interactions, files, buckets."""

from __future__ import annotations

from bots.playground.discord.commands import PersonCannot
from bots.playground.discord.faults import DiscordFaults, Limit
from bots.playground.discord.records import Attachment, UploadedFile
from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.discord.views import DiscordPost, InteractionView, RestCall, Via

__all__ = [
    "Attachment",
    "DiscordFaults",
    "DiscordPost",
    "DiscordSimulator",
    "InteractionView",
    "Limit",
    "PersonCannot",
    "RestCall",
    "UploadedFile",
    "Via",
]
