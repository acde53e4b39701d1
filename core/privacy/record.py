"""What this installation processes, for whom, where: as its settings say, for the records of processing."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from core.mistral.providers.home import region_at
from core.mistral.providers.provider import is_loopback
from core.privacy.secrets import Handling
from core.settings import Settings, promised_later
from core.settings_homes import fallback_entry

OWN_SERVER = "own server"
_OPERATORS = {
    "azure": "Microsoft Azure",
    "vertex": "Google Cloud",
    "bedrock": "Amazon Web Services",
    "sagemaker": "Amazon Web Services",
}


@dataclass(frozen=True, slots=True)
class Processor:
    """Who computes answers. `operator`: its name, or OWN_SERVER, or the host of an address that is set.

    `region`: "eu", "us" or "global" of Mistral's own, the cloud's own name of it, or "" where no setting says it.
    `plan`: of Mistral's own API alone. `fallback`: asked only when those before it cannot be had.
    """

    operator: str
    region: str
    plan: str = ""
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An entry for the records of processing. Retention in days; `platforms` and `database` by their names here.

    `encrypted`: whatever leaves this machine for a model is. `not_yet`: what this version does not do of its retention.
    """

    processors: tuple[Processor, ...]
    words_may_train: bool
    retention_days: int
    context_retention_days: int
    platforms: tuple[str, ...]
    guests: bool
    database: str
    secrets: Handling
    encrypted: bool
    not_yet: tuple[str, ...] = ()


def record(settings: Settings) -> Record:
    """The entry of an installation with these settings."""
    platforms = {"slack": settings.slack_enabled, "discord": settings.discord_enabled}
    return Record(
        processors=processors(settings),
        words_may_train=settings.words_may_train,
        retention_days=settings.retention_days,
        context_retention_days=settings.context_retention_days,
        platforms=tuple(name for name, enabled in platforms.items() if enabled),
        guests=settings.allow_external,
        database="postgresql" if settings.postgres else "sqlite",
        secrets=settings.secrets,
        encrypted=all(
            address is None or address.startswith("https:") or is_loopback(address)
            for address in (settings.mistral_base_url, settings.fallback_base_url)
        ),
        not_yet=tuple(line for line in promised_later(settings) if "RETENTION" in line),
    )


def processors(settings: Settings) -> tuple[Processor, ...]:
    """Who answers, then who is fallen back on, each once."""
    first = _first(settings)
    found = [first]
    for entry in settings.fallback:
        home, _ = fallback_entry(entry)
        if home is None:  # another model of the same home
            continue
        there = _of(home, settings, fallback=True)
        if not any((there.operator, there.region) == (one.operator, one.region) for one in found):
            found.append(there)
    return tuple(found)


def _first(settings: Settings) -> Processor:
    if settings.home != "mistral":
        return _of(settings.home, settings)
    if settings.mistral_base_url is None:
        return _of("mistral", settings)
    if settings.self_hosted:
        return Processor(OWN_SERVER, "")
    region = region_at(settings.mistral_base_url)
    if region is not None:
        return _mistral(region, settings)
    return Processor(urlsplit(settings.mistral_base_url).hostname or "", "", settings.mistral_plan or "")


def _of(home: str, settings: Settings, *, fallback: bool = False) -> Processor:
    match home:
        case "mistral":
            return _mistral(settings.mistral_region, settings, fallback=fallback)
        case "mistral-eu" | "mistral-us":
            return _mistral(home.removeprefix("mistral-"), settings, fallback=fallback)
        case "self-hosted":
            return Processor(OWN_SERVER, "", fallback=fallback)
        case "azure":
            region = settings.azure_location
        case "vertex":
            region = settings.google_cloud_location
        case _:
            region = settings.aws_region
    return Processor(_OPERATORS[home], region or "", fallback=fallback)


def _mistral(region: str, settings: Settings, *, fallback: bool = False) -> Processor:
    return Processor("Mistral AI", region, settings.mistral_plan or "", fallback)


def where(settings: Settings) -> dict[str, str | int]:
    """Where words go, for a sentence: to whom, in which region, on which plan; how many others; whether to train."""
    first, *others = processors(settings)
    return {
        "operator": first.operator,
        "region": first.region,
        "plan": first.plan,
        "others": len(others),
        "training": int(settings.words_may_train),
    }
