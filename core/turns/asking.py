"""Asking a model for one turn: history, rounds of tool calls, attempts. What follows a failure is `retry.py`'s."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import structlog

from core import errors
from core.chat import ChatMessage, ImagePart
from core.messages import Answer, ConversationKind, Notice, WorkspaceKey
from core.mistral.models import Model
from core.ports import ChatPlatform, Clock, Reply
from core.privacy import withheld
from core.privacy.secrets import Handling
from core.settings import Settings
from core.store import choices, recent, transcript, workspace_settings
from core.store.choices import Chosen, Level
from core.store.conversations import Conversation, Line
from core.store.database import Connection, Database
from core.store.turns import Turn
from core.turns import built_in_tools, history, images, reading, retry, tools
from core.turns.affording import Afforded, Affording, Refused
from core.turns.assistants import Assistant, Assistants
from core.turns.billing import Billing, prompt_tokens, zone
from core.turns.choosing import ModelChoice, Models
from core.turns.estimate import TokenEstimate
from core.turns.progress import Attempt, Progress
from core.turns.question import ALONE, ROUNDS, Question, Requests
from core.turns.routes import Path, Route
from core.turns.tools import Toolbox

_log = structlog.get_logger()
ECONOMY = "economy"
_NOTHING = history.History((), 0, 0)


class Asking:
    """Asks the model, as often as it makes sense; each attempt is one request and one row of the ledger."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        routes: tuple[Route, ...],
        choice: ModelChoice,
        assistants: Assistants,
        pictures: images.Images,
        billing: Billing,
        estimate: TokenEstimate,
        clock: Clock,
        tools: Callable[..., Toolbox] = built_in_tools.built_in,
    ) -> None:
        self._settings = settings
        self._database = database
        self._routes = routes
        self._choice = choice
        self._assistants = assistants
        self._pictures = pictures
        self.billing = billing
        self._estimate = estimate
        self._affording = Affording(billing, Requests(settings, estimate), clock)
        self._clock = clock
        self._tools = tools
        self._random = random.Random()

    async def answer(
        self, turn: Turn, conversation: Conversation, platform: ChatPlatform, reply: Reply, progress: Progress
    ) -> Answer:
        """The model's answer, or what went wrong as a notice with the text so far. Raises StoreUnavailable."""
        lines, chosen, handling = await self._lines(turn, conversation, platform, reply)
        kept_back = withheld.withhold(lines, handling)
        if kept_back.notice is not None:
            _log.info("secrets.withheld", turn=turn.id, refused=kept_back.refused, **kept_back.notice.values)
        if kept_back.refused and kept_back.notice is not None:
            return Answer("", "done", (kept_back.notice,), only_asker=True)
        lines = kept_back.lines
        question = lines[-1]
        refused = images.notices(question.attachments)
        if kept_back.notice is not None:
            refused = (*refused, kept_back.notice)
        progress.notices = refused
        ready = [file for line in lines for file in line.attachments if file.state == "ready"]
        assistant = self._assistants.or_default(chosen.assistant)
        try:
            models, by = self._models(turn, assistant, chosen)
        except errors.UnknownModel as error:
            return Answer("", "failed", (*refused, Notice(error.reason, {"model": self._settings.model})))
        shown: dict[int, ImagePart] = {}
        if ready and models.vision is not None:
            shown = await self._pictures.load(turn.workspace, ready[-history.IMAGES_SHOWN :])
        blind = any(file.state == "ready" for file in question.attachments) and models.vision is None
        progress.notices = (*refused, Notice("cannot_see")) if blind else refused
        if not question.text.strip() and not shown:
            return Answer("", "done", progress.notices)
        model = _model(models, shown)
        asked = Question(
            turn,
            conversation,
            lines,
            assistant,
            shown,
            self._toolbox(turn, conversation, assistant, chosen, handling),
            Path(self._routes, model, sees=bool(shown)),
            self._settings.history_tokens,
            economy=self._economy(model, sees=bool(shown)),
            chosen_by=by if model is models.text else None,
            secrets=handling,
        )
        return await self._rounds(asked, reply, progress)

    def _models(self, turn: Turn, assistant: Assistant, chosen: Chosen) -> tuple[Models, Level | None]:
        """What answers, and whose choice it is; a choice that can be called no more counts as none.

        Raises UnknownModel for what is set up.
        """
        if chosen.model is not None:
            try:
                if chosen.model == ECONOMY and chosen.model_by is None:  # nobody's choice: money is short
                    return self._choice.models(tier="economy"), None
                return self._choice.models(tier=assistant.tier, name=chosen.model), chosen.model_by
            except errors.UnknownModel:
                _log.warning("choice.not_there", turn=turn.id, by=chosen.model_by)
        return self._choice.models(tier=assistant.tier), None

    def _economy(self, model: Model, *, sees: bool) -> Model | None:
        """What is called instead when money is short, where it is another and does what is needed."""
        try:
            found = self._choice.models(tier="economy")
        except errors.UnknownModel:
            return None
        economy = found.text
        return None if economy.id == model.id or (sees and not economy.vision) else economy

    async def _lines(
        self, turn: Turn, conversation: Conversation, platform: ChatPlatform, reply: Reply
    ) -> tuple[list[Line], Chosen, Handling]:
        """The history with the newest files read, and what was chosen for this place and for secrets."""
        from_seq = max(conversation.history_from_seq, conversation.trimmed_to_seq)

        def look(connection: Connection) -> tuple[list[Line], Chosen, Handling]:
            lines = transcript.lines(connection, conversation, turn.message, from_seq=from_seq)
            chosen = choices.chosen(connection, turn.workspace, conversation.channel, conversation.id)
            if chosen.model is None and self.billing.is_low(connection, turn):
                chosen = replace(chosen, model=ECONOMY)
            handling = workspace_settings.chosen(connection, turn.workspace).secrets or self._settings.secrets
            return lines, chosen, handling

        lines, chosen, handling = await self._database.read(look)
        pending = [line for line in lines if any(file.state == "pending" for file in line.attachments)]
        if not pending:
            reply.status("thinking")
            return lines, chosen, handling
        reply.status(*images.reading([file for line in pending for file in line.attachments]))
        key = WorkspaceKey(turn.platform, turn.workspace_id)
        read = {
            line.id: await self._pictures.prepare(platform, turn.workspace, key, line.attachments)
            for line in pending[-history.IMAGES_SHOWN :]
        }
        reply.status("thinking")
        return (
            [
                Line(line.id, line.seq, line.author, line.text, tuple(read.get(line.id, line.attachments)))
                for line in lines
            ],
            chosen,
            handling,
        )

    def _toolbox(
        self, turn: Turn, conversation: Conversation, assistant: Assistant, chosen: Chosen, handling: Handling
    ) -> Toolbox:
        """The assistant's tools, as far as they may be used here."""

        async def look(limit: int) -> list[recent.RecentMessage]:
            return await self._database.read(
                lambda connection: recent.recent_in_channel(
                    connection,
                    turn.workspace,
                    conversation.channel,
                    besides=conversation.id,
                    limit=limit,
                    conceal=withheld.concealing(handling),
                )
            )

        open_place = chosen.recent_messages and conversation.kind not in ALONE
        return self._tools(
            assistant.tools, zone=zone(turn, self._settings), clock=self._clock, recent=look if open_place else None
        )

    async def _rounds(self, question: Question, reply: Reply, progress: Progress) -> Answer:
        """Calls the model until it has no more tools to call."""
        while True:
            question.round += 1
            prompt, failed = await self._attempts(question, reply, progress)
            if failed is not None:
                return failed
            call = progress.call
            assert call is not None  # noqa: S101 - a whole attempt is left for its ledger row
            if call.final or not call.tool_calls:
                return self._whole(question.conversation, prompt, progress)
            await self.billing.write_down(question.turn, question.conversation, progress, "tool_calls")
            reply.status("using_tool")
            results = withheld.results(await question.toolbox.call_all(call.tool_calls), question.secrets)
            wanted = ChatMessage("assistant", call.text, tool_calls=call.tool_calls)
            question.said = (*question.said, wanted, *results)
            reply.status("thinking")

    async def _attempts(
        self, question: Question, reply: Reply, progress: Progress
    ) -> tuple[history.History, Answer | None]:
        """One round: an attempt that succeeded, left in `progress.call`, or the answer that says why none did."""
        path, question.tries = question.path, 0
        while True:
            question.tries += 1
            question.attempts += 1
            try:
                afforded = await self._affording.hold(question, reply, progress)
            except Refused as refused:
                progress.refused_by = refused.room.scope
                notices = (*progress.notices, refused.notice)
                return _NOTHING, Answer(progress.text, "failed", notices, only_asker=not progress.text)
            except errors.UnknownModel as error:
                return _NOTHING, Answer(progress.text, "failed", (*progress.notices, _told(error, path.model)))
            prompt = afforded.planned.prompt
            progress.call = self._attempt(question, afforded)
            try:
                await reading.read(path.route.model, progress.call, reply, progress, self._clock)
            except errors.ModelError as error:
                elsewhere = path.has_next and not progress.texts
                decision = retry.decide(
                    error,
                    attempt=question.tries,
                    shown=progress.call.shown,
                    waited=question.waited,
                    replaced=question.replaced,
                    trimmed=question.trimmed,
                    jitter=self._random.random(),
                    elsewhere=elsewhere,
                )
                if isinstance(error, errors.EmptyAnswer) and isinstance(decision, retry.Again):
                    if question.round >= ROUNDS:
                        decision = retry.GiveUp()
                    else:
                        question.round += 1  # it was answered, and so is paid for, as any other round
                if isinstance(error, errors.ModelHeldBack | errors.ModelGivenUp):
                    progress.call.admitted = False  # nothing was sent
                await self.billing.write_down(
                    question.turn, question.conversation, progress, error.reason, unbilled=error.unbilled
                )
                _log.info(
                    "attempt.failed",
                    turn=question.turn.id,
                    attempt=question.attempts,
                    why=error.reason,
                    then=type(decision).__name__,
                )
                if isinstance(decision, retry.Replace):
                    decision = self._replaced(question) or (retry.Elsewhere() if elsewhere else retry.GiveUp())
                if not await self._go_on(decision, question, prompt, reply):
                    by = question.chosen_by if path.route.only is None else None
                    return prompt, Answer(progress.text, "failed", (*progress.notices, _told(error, path.model, by)))
            else:
                return prompt, None

    def _replaced(self, question: Question) -> retry.Replace | None:
        """Puts a successor in the place of a model that is gone, where there is one that will do."""
        path = question.path
        successor = self._choice.replacement(path.model) if path.route.only is None else None
        if successor is None or (path.sees and not successor.vision):
            return None
        path.model, question.replaced = successor, True
        return retry.Replace()

    async def _go_on(self, decision: retry.Decision, question: Question, prompt: history.History, reply: Reply) -> bool:
        """Does what was decided; False: that is to give up."""
        path = question.path
        match decision:
            case retry.Again(wait):
                question.waited += wait
                if wait > 1.0:
                    reply.status("waiting_for_model")
                await self._clock.sleep(wait)
            case retry.Trim():
                shown = prompt_tokens(prompt.messages[1:], path.model, self._estimate)
                question.limit, question.trimmed = min(question.limit // 2, shown - 1), True
            case retry.Elsewhere():
                path.go_on()
                question.tries, question.economy = 0, None
                if not path.model.tools:  # it could not read what tools have said either
                    question.said = ()
                _log.warning("attempt.elsewhere", turn=question.turn.id, home=path.route.home.name, model=path.model.id)
            case retry.GiveUp():
                return False
        return True

    def _whole(self, conversation: Conversation, prompt: history.History, progress: Progress) -> Answer:
        call = progress.call
        assert call is not None  # noqa: S101
        finish = call.finish
        if finish is not None and finish.usage is not None and not call.images:
            self._estimate.learn(call.sent_bytes, finish.usage.prompt_tokens)
        if "history" in progress.saved:
            pass  # what is saved now may be shown again when there is money
        elif prompt.first_seq > conversation.trimmed_to_seq and conversation.kind is not ConversationKind.CHAIN:
            progress.trimmed_to = prompt.first_seq
        notices = progress.notices
        if finish is not None and finish.reason in ("length", "model_length"):
            notices = (*notices, Notice("length"))
        return Answer(progress.text, "done", notices)

    def _attempt(self, question: Question, afforded: Afforded) -> Attempt:
        request, prompt = afforded.planned.request, afforded.planned.prompt
        texts = [one.content for one in request.messages if isinstance(one.content, str)]
        texts += [wanted.arguments for one in request.messages for wanted in one.tool_calls]
        sent = sum(len(text.encode("utf-8", "replace")) for text in texts) + tools.written(request.tools)
        route, model = question.path.route, question.path.model
        now, at = self._clock.now(), self._clock.monotonic()
        return Attempt(
            question.attempts,
            afforded.hold,
            route.home,
            model,
            request,
            sent,
            prompt.images,
            now,
            at,
            admitted=not route.queues,
        )


def _model(models: Models, shown: dict[int, ImagePart]) -> Model:
    return models.vision if shown and models.vision is not None else models.text


def _told(error: errors.ModelError, model: Model, chosen_by: Level | None = None) -> Notice:
    values: dict[str, str | int] = {"model": model.id}
    if chosen_by is not None and isinstance(error, errors.ModelNotFound):  # another can be chosen
        values["by"] = chosen_by
    if error.retry_after is not None:
        values["seconds"] = int(error.retry_after) + 1
    return Notice(error.reason, values)
