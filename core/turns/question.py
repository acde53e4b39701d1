"""What is asked of a model for one turn, and the requests that ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.budgets.bound import Bound, bound
from core.budgets.short import Cut
from core.chat import ChatMessage, ChatRequest, ImagePart
from core.messages import ConversationKind
from core.mistral.models import Model
from core.privacy.secrets import Handling
from core.settings import Settings
from core.store.choices import Level
from core.store.conversations import Conversation, Line
from core.store.turns import Turn
from core.turns import history, prompts, tools
from core.turns.assistants import Assistant
from core.turns.billing import zone
from core.turns.estimate import TokenEstimate
from core.turns.routes import Path
from core.turns.tools import Toolbox

ROUNDS = 8  # calls of the model for one answer; in the last no tool may be called any more
ALONE = (ConversationKind.DM, ConversationKind.PRIVATE, ConversationKind.TERMINAL)
NO_CUT = Cut()


@dataclass(slots=True)
class Question:
    """What is asked, and how far the asking has come.

    `limit`: tokens of history; `economy`: the model to take when money is short, None: there is no cheaper one; `said`:
    tool calls and results; `attempts`: requests of all rounds; `tries`: those of this round at this home; `waited`,
    `waited_for_money`: seconds; `chosen_by`: whose choice the model is, None: nobody's;
    `secrets`: what becomes of those in tools' results.
    """

    turn: Turn
    conversation: Conversation
    lines: list[Line]
    assistant: Assistant
    shown: Mapping[int, ImagePart]
    toolbox: Toolbox
    path: Path
    limit: int
    economy: Model | None = None
    said: tuple[ChatMessage, ...] = ()
    round: int = 0
    attempts: int = 0
    tries: int = 0
    waited: float = 0.0
    waited_for_money: float = 0.0
    replaced: bool = False
    trimmed: bool = False
    chosen_by: Level | None = None
    secrets: Handling = "mask"


@dataclass(frozen=True, slots=True)
class Planned:
    """A request that could be made, and what it costs at worst. Honours `core.budgets.short.Form`."""

    request: ChatRequest
    prompt: history.History
    model: Model
    bound: Bound
    cost: int
    bare: bool

    @property
    def max_tokens(self) -> int:
        return self.request.max_tokens


class Requests:
    """Builds requests. What is cut from one changes nothing of the question."""

    def __init__(self, settings: Settings, estimate: TokenEstimate) -> None:
        self._settings = settings
        self._estimate = estimate

    def plan(
        self, question: Question, now: datetime, cut: Cut = NO_CUT, margins: Mapping[str, int] | None = None
    ) -> Planned:
        """The next request. `margins`: by how many thousandths the bounds of models are taken, by id.

        Raises UnknownModel for a model without a price where calls cost something.
        """
        model = question.economy if cut.economy and question.economy is not None else question.path.model
        request, prompt = self._request(question, model, cut, now)
        worst = bound(model, question.path.route.home, request, now)
        cost = -(-worst.microusd * (margins or {}).get(model.id, 1000) // 1000)
        bare = prompt.first_seq >= question.lines[-1].seq or question.limit >> cut.halvings <= 1
        return Planned(request, prompt, model, worst, cost, bare)

    def _request(
        self, question: Question, model: Model, cut: Cut, now: datetime
    ) -> tuple[ChatRequest, history.History]:
        assistant, turn = question.assistant, question.turn
        longest = min(assistant.max_tokens or self._settings.max_tokens, self._settings.max_tokens)
        max_tokens = longest if longest <= model.context // 2 else max(model.context // 4, 1)
        system = prompts.system(assistant.prompt, now, zone(turn, self._settings))
        offered = question.toolbox.offered if model.tools else ()
        said = self._estimate.messages(question.said)
        last = question.round >= ROUNDS or said > model.context // 4
        besides = self._estimate.text(system) + said + self._estimate.bytes(tools.written(offered))
        prompt = history.build(
            question.lines,
            system=system,
            named=question.conversation.kind not in ALONE,
            images=question.shown,
            limit=max(min(question.limit, model.context - max_tokens - besides) >> cut.halvings, 1),
            size=self._estimate.text,
            image_size=lambda image: model.image_tokens(image.width, image.height),
        )
        request = ChatRequest(
            model.id,
            (*prompt.messages, *question.said),
            max_tokens if cut.max_tokens is None else min(cut.max_tokens, max_tokens),
            temperature=assistant.temperature,
            prompt_cache_key=f"bise-{question.conversation.id}",
            tools=offered,
            tool_choice="none" if offered and last else None,
            account=f"{turn.platform}:{turn.workspace_id}",
        )
        return request, prompt
