"""The words of an entry for the records of processing, as `bise privacy record` prints it."""

from __future__ import annotations

from bots.privacy_words import REGIONS
from core.privacy.record import OWN_SERVER, Processor, Record

Section = tuple[str, tuple[str, ...]]
_PLATFORMS = {"slack": "Slack (Salesforce)", "discord": "Discord (Discord Inc.)"}
_SECRETS = {
    "mask": "Private keys, tokens and card numbers are left out of messages before these go to the model.",
    "refuse": "Questions with private keys, tokens or card numbers in them are refused before they go to the model.",
    "off": "Private keys, tokens and card numbers in messages are not looked for (BISE_SECRETS=off).",
}


def sections(record: Record) -> tuple[Section, ...]:
    """The parts of the entry in order: a name and its lines."""
    return (
        ("Purpose", ("Answering questions that people put to an assistant in their chats.",)),
        ("Who computes answers", tuple(_processor(one) for one in record.processors)),
        ("Plan", (_plan(record),)),
        ("People", (_people(record),)),
        ("Kinds of data", _KINDS_OF_DATA),
        ("Retention", _retention(record)),
        ("Recipients", _recipients(record)),
        ("Security measures", _measures(record)),
    )


def _processor(processor: Processor) -> str:
    if processor.operator == OWN_SERVER:
        return f"A server of this installation's own{'; asked when others cannot be had' if processor.fallback else ''}"
    region = REGIONS.get(processor.region, processor.region) or "not told by the settings"
    return f"{processor.operator}, region: {region}{'; asked when others cannot be had' if processor.fallback else ''}"


def _plan(record: Record) -> str:
    plans = {processor.plan for processor in record.processors if processor.plan}
    if not any(processor.operator == "Mistral AI" for processor in record.processors) and not plans:
        return "None of Mistral's: its own API is not used."
    if not plans:
        return "Not told: set MISTRAL_PLAN to experiment or scale."
    training = "what people write may be used to train models" if record.words_may_train else "paid, no training on it"
    return f"{', '.join(sorted(plan.capitalize() for plan in plans))}: {training}."


def _people(record: Record) -> str:
    guests = ", and guests and people of other organisations" if record.guests else ""
    return f"Members of the workspaces that Bise is in{guests}."


_KINDS_OF_DATA = (
    "Messages to Bise, its answers, and the messages of threads that it takes part in",
    "Images and PDFs that are attached to them",
    "Names and platform ids of those who wrote",
    "Times, tokens and costs of model calls",
)


def _retention(record: Record) -> tuple[str, ...]:
    def days(number: int) -> str:
        return "1 day" if number == 1 else f"{number} days"

    return (
        f"Words and images of conversations: {days(record.retention_days)}",
        f"Words of people who did not address Bise: {days(record.context_retention_days)}",
        "Amounts of the ledger: kept, without words",
        *record.not_yet,
    )


def _recipients(record: Record) -> tuple[str, ...]:
    platforms = tuple(f"{_PLATFORMS[name]}, where the chats are" for name in record.platforms)
    return (
        *platforms,
        "Those who compute answers (above): the messages of a conversation as far as an answer needs them",
        "Admins of a workspace: figures of use, without words",
    )


def _measures(record: Record) -> tuple[str, ...]:
    store = (
        "The database is one SQLite file that its owner alone may read."
        if record.database == "sqlite"
        else "The database is PostgreSQL, at the address that DATABASE_URL names."
    )
    return (
        _SECRETS[record.secrets] + ("" if record.secrets == "off" else " A workspace's admins can choose otherwise."),
        store,
        "Every query is for one workspace; what one has said is never shown to another.",
        "Logs and figures for monitoring hold ids and times, no words and no names.",
        "What goes to the model is encrypted on its way (TLS)."
        if record.encrypted
        else "What goes to the model is not encrypted on its way: its address begins with http://.",
    )
