"""What `bise doctor` finds out about the Slack app."""

from __future__ import annotations

import aiohttp
from pydantic import SecretStr

from bots.findings import Finding
from bots.slack.api import SlackApi, web_client
from bots.slack.manifest import EVENTS, EVENTS_PATH, SCOPES
from bots.writer import RateLimited
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.settings import Settings

_REINSTALL = "api.slack.com/apps, your app, OAuth & Permissions, then install it again"


async def check(settings: Settings) -> list[Finding]:
    """Asks Slack about the tokens and their scopes; never raises for what it finds."""
    if settings.slack_bot_token is None:
        return []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        findings = await _check_bot(_api(settings, session, settings.slack_bot_token))
        if settings.slack_app_token is not None:
            findings.append(await _check_app(_api(settings, session, settings.slack_app_token)))
        elif settings.slack_signing_secret is not None:
            findings.append(Finding(True, f"Slack signing secret is set: events are taken at POST {EVENTS_PATH}"))
    needed = ", ".join(EVENTS)
    findings.append(Finding(True, f"Slack event subscriptions cannot be read by a bot; Bise needs {needed}"))
    return findings


def _api(settings: Settings, session: aiohttp.ClientSession, token: SecretStr) -> SlackApi:
    return SlackApi(web_client(settings.slack_api_url, session, token.get_secret_value()))


async def _check_bot(api: SlackApi) -> list[Finding]:
    try:
        who, scopes = await api.identify()
    except (PlatformError, RateLimited) as error:
        return [_refused("SLACK_BOT_TOKEN", error)]
    if not who.get("bot_id"):
        return [Finding(False, "SLACK_BOT_TOKEN is not a bot's token", f"Take the Bot User OAuth Token: {_REINSTALL}")]
    found = [Finding(True, f"Slack workspace {who.get('team')} ({who.get('team_id')}), bot @{who.get('user')}")]
    missing = [scope for scope in SCOPES if scope not in scopes]
    found += [
        Finding(False, f"Slack scope {scope} is missing ({SCOPES[scope]})", f"Add {scope}: {_REINSTALL}")
        for scope in missing
    ]
    return found if missing else [*found, Finding(True, f"Slack scopes: all {len(SCOPES)} are granted")]


async def _check_app(api: SlackApi) -> Finding:
    try:
        await api.call("apps.connections.open", {})
    except (PlatformError, RateLimited) as error:
        if isinstance(error, PlatformError) and error.code in {"missing_scope", "not_allowed_token_type"}:
            mend = "Basic Information, App-Level Tokens: make one with the scope connections:write"
            return Finding(False, "SLACK_APP_TOKEN may not open a Socket Mode connection", mend)
        return _refused("SLACK_APP_TOKEN", error)
    return Finding(True, "Slack Socket Mode can be reached")


def _refused(variable: str, error: PlatformError | RateLimited) -> Finding:
    if isinstance(error, TokenRevoked):
        return Finding(False, f"{variable} is refused by Slack ({error.code})", f"Set {variable} anew: {_REINSTALL}")
    if isinstance(error, RateLimited):
        return Finding(False, f"Slack asks to wait before {variable} can be checked", "Run it again in a minute")
    if isinstance(error, PlatformUnavailable):
        return Finding(False, "Slack cannot be reached", "Look at the network, at SLACK_API_URL and status.slack.com")
    return Finding(False, f"{variable}: Slack answered {error.code}", f"Look at {variable} and at the app's settings")
