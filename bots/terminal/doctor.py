"""`bise doctor`: what is set up, what is missing, and how to mend it."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Sequence

import migrations
from bots.findings import Finding
from bots.terminal import homes
from core.errors import BiseError, SchemaOutdated, StoreUnavailable
from core.service import home_of
from core.settings import Settings, promised_later
from core.store.database import Database


async def doctor(settings: Settings, *, as_json: bool) -> int:
    """Checks everything, one line each; 0 when nothing is missing."""
    findings = [
        *await _database(settings),
        *await _models(settings),
        *await _platforms(settings),
    ]
    well = all(finding.ok for finding in findings)
    if as_json:
        body = {"ok": well, "findings": [{"ok": one.ok, "what": one.what, "mend": one.mend} for one in findings]}
        sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
        return 0 if well else 1
    for finding in findings:
        sys.stdout.write(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.what}\n")
        if finding.mend:
            sys.stdout.write(f"         → {finding.mend}\n")
    for line in promised_later(settings):
        sys.stdout.write(f"note     {line}\n")
    sys.stdout.write("Everything that was checked is well.\n" if well else "Mend what is missing, then ask again.\n")
    return 0 if well else 1


async def _database(settings: Settings) -> list[Finding]:
    if not settings.postgres and not settings.database_file.exists():  # opening it would make its folder
        return [Finding(False, f"There is no database {settings.database_file} yet.", "Run `bise migrate`.")]
    database = Database.open(settings.database_url)
    try:
        await database.check(migrations.NEWEST)
    except SchemaOutdated as error:
        return [Finding(False, str(error), "Run `bise migrate`.")]
    except StoreUnavailable as error:
        about_a_file = "Check the file's folder, its permissions and the free space."
        mend = "Check DATABASE_URL, the server and the network." if settings.postgres else about_a_file
        return [Finding(False, str(error), mend)]
    finally:
        await database.close()
    return [Finding(True, f"The database {database.name} answers and is up to date.", "")]


async def _models(settings: Settings) -> list[Finding]:
    if not settings.has_model:
        return [Finding(False, "No way to a model is set.", "Set MISTRAL_API_KEY=… (made in Mistral's console).")]
    findings = await homes.check(settings)
    if settings.mistral_plan is None and home_of(settings).name.startswith("mistral-"):
        mend = "Set MISTRAL_PLAN=scale (paid) or MISTRAL_PLAN=experiment (free: words may be used to train models)."
        findings.append(Finding(False, "It is not known which plan the key belongs to.", mend))
    return findings


async def _platforms(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    if settings.slack_enabled:
        from bots.slack.checks import check as check_slack

        findings += await _checked("Slack", check_slack(settings))
    if settings.discord_enabled:
        from bots.discord.checks import check as check_discord

        findings += await _checked("Discord", check_discord(settings))
    if not settings.has_platform:
        mend = "Set SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or DISCORD_TOKEN; README.md says how to get them."
        findings.append(Finding(False, "No chat platform is set up.", mend))
    return findings


async def _checked(name: str, findings: Awaitable[Sequence[Finding]]) -> list[Finding]:
    try:
        return list(await findings)
    except BiseError as error:
        return [Finding(False, f"{name} could not be checked: {error}", "Check the network and try again.")]
