"""What `bise doctor` finds out about the homes of models: the one of choice, and those to fall back on."""

from __future__ import annotations

from collections.abc import Sequence

from bots.findings import Finding
from core import errors
from core.clock import SystemClock
from core.mistral.catalogue import Catalogue
from core.mistral.client import MistralClient
from core.mistral.providers import configured
from core.mistral.providers.provider import Provider
from core.settings import Settings
from core.turns.choosing import ModelChoice

_CHOOSE = "Choose another by BISE_MODEL or BISE_VISION_MODEL; `bise models` lists them."
_CHOOSE_FALLBACK = "Name another in BISE_FALLBACK."
_ELSE = "Check the network and the settings of that home (README.md, “A model”, names them for each)."
_REFUSALS: dict[type[errors.ModelError], tuple[str, str]] = {
    errors.ModelUnauthorized: ("refuses the key", "Make a new key and set it; see that it may use the models there."),
    errors.ModelOutOfCredit: (
        "has no credit for this key, or a spending limit is reached",
        "Look after its billing (Mistral's: credit and spending limit at https://console.mistral.ai).",
    ),
    errors.ModelForbidden: (
        "knows the key, but does not let it in",
        "Give the key the right to call models (its workspace, project or role), or make one that has it.",
    ),
    errors.ModelRateLimited: (
        "takes no more requests of this key right now",
        "Wait a minute and ask again. If it stays so, look at the limits of your plan in the home's console.",
    ),
}


async def check(settings: Settings) -> list[Finding]:
    """One line for each home and each model that the settings name. Raises SettingsError."""
    catalogue, clock = Catalogue.load(settings.catalogue_file), SystemClock()
    first = configured.provider(settings)
    fallbacks = configured.fallbacks(settings, catalogue, today=clock.now().date(), first=first)
    findings: list[Finding] = []
    for home in dict.fromkeys((first, *(fallback.provider for fallback in fallbacks))):
        reached, served = await _home(home)
        findings.append(reached)
        if home == first:
            findings += _chosen(ModelChoice(settings, catalogue, clock, first), settings.model, first, served)
        for fallback in fallbacks:
            if fallback.provider == home and reached.ok:
                row = catalogue.resolve(home.catalogue_id(fallback.model))
                aliases = (row.id, *row.aliases) if row is not None and not home.own_names else ()
                findings.append(_served(home, (fallback.model, *aliases), served, _CHOOSE_FALLBACK))
    return findings


async def _home(home: Provider) -> tuple[Finding, frozenset[str]]:
    """Whether it answers, and the names that it lists; none where it has no list, or none that could be had."""
    if home.models() is None:
        why = f"The home of models {home.name} lists nothing that could be asked for; the first question will tell."
        return Finding(True, why), frozenset()
    client = MistralClient(home)
    try:
        served = frozenset(card.id for card in await client.models())
    except errors.ModelError as error:
        what, mend = next(
            (said for kind, said in _REFUSALS.items() if isinstance(error, kind)),
            (f"does not answer as it should ({error.reason})", _ELSE),
        )
        return Finding(False, f"The home of models {home.name} {what}.", mend), frozenset()
    finally:
        await client.aclose()
    return Finding(True, f"The home of models {home.name} accepts the key and answers."), served


def _chosen(choice: ModelChoice, named: str, home: Provider, served: frozenset[str]) -> list[Finding]:
    try:
        models = choice.models()
    except errors.UnknownModel:
        mend = "Choose one that `bise models` lists, or add its price by BISE_CATALOGUE_FILE."
        return [Finding(False, f"BISE_MODEL {named} is not in the catalogue.", mend)]
    called = dict.fromkeys((models.text, *([models.vision] if models.vision else ())))
    findings = [_served(home, (model.id, *model.aliases), served, _CHOOSE) for model in called]
    if models.vision is None:
        findings.append(Finding(True, "No model here can see images; people who send one are told so."))
    return findings


def _served(home: Provider, names: Sequence[str], served: frozenset[str], mend: str) -> Finding:
    """`names`: what the model is called there, and its other names."""
    if not served:
        return Finding(True, f"The model {names[0]} is to answer on {home.name}; whether it is there is not known.")
    if served.isdisjoint(names):
        return Finding(False, f"The model {names[0]} is not served by {home.name}.", mend)
    return Finding(True, f"The model {names[0]} is live on {home.name}.")
