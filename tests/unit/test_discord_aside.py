"""What the asker alone is told on Discord: which way is taken, in which order, and what happens when none is open."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bots.discord.aside import Aside, for_others_to_see
from bots.discord.errors import UNKNOWN_MESSAGE, platform_error
from bots.discord.places import ChannelPlace, InteractionPlace
from bots.discord.posts import AnswerPosts
from bots.replies import sentence
from bots.writer import UNFENCED, RateLimited
from core.errors import PlatformError, PlatformUnavailable
from core.messages import Answer, ConversationKind, Notice, Post, ReplyOrder, WorkspaceKey
from core.ports import Lease
from core.turns.lease import TurnLease
from tests.fakes import ManualClock
from tests.unit.test_discord_reply import MemoryLog, drain

REFUSED = Notice("budget_refused", {"scope": "person", "period": "day", "left": 0, "limit": 1_000_000})
WORDS = sentence(REFUSED, platform="discord")
ANSWER = Answer("", "failed", (REFUSED,), ask_admin="ask.7", only_asker=True)
GONE = platform_error(404, UNKNOWN_MESSAGE, "Unknown Message")
OVER = platform_error(401, 50027, "Invalid Webhook Token")
CLOSED = platform_error(403, 50007, "Cannot send messages to this user")


class Wire:
    """Discord's side: what is called, in order; `refuse` answers a call, by how its method and path begin."""

    def __init__(self, refuse: Mapping[str, Exception] | None = None) -> None:
        self.calls: list[tuple[str, object]] = []
        self.refuse = dict(refuse or {})

    async def call(self, method: str, path: str, json: object = None, **_: object) -> object:
        self.calls.append((f"{method} {path}", json))
        for begin, error in self.refuse.items():
            if f"{method} {path}".startswith(begin):
                raise error
        return {"id": str(100 + len(self.calls)), **(json if isinstance(json, dict) else {})}

    async def direct(self, person: str) -> str:
        return f"dm{person}"

    @property
    def made(self) -> list[str]:
        return [call.partition("?")[0] for call, _ in self.calls]


def order(kind: ConversationKind = ConversationKind.CHAIN, *posts: Post, attempt: int = 1) -> ReplyOrder:
    return ReplyOrder(7, attempt, WorkspaceKey("discord", "1"), kind, "5", "6", "8", "9", {}, "stop-7", posts)


def behind_an_interaction(
    wire: Wire, *posts: Post, until: float = 4e9, lease: Lease = UNFENCED
) -> tuple[AnswerPosts, MemoryLog]:
    address = {"token": "tok", "application": "app", "until": str(until), "private": "no"}
    place = InteractionPlace(wire, address, ChannelPlace(wire, "5"), None)  # type: ignore[arg-type]
    asked, log = order(ConversationKind.CHAIN, *posts), MemoryLog(lease)
    return AnswerPosts(asked, log, place, aside=Aside(wire, asked, place, wire.direct)), log  # type: ignore[arg-type]


def below_a_question(wire: Wire, *posts: Post) -> tuple[AnswerPosts, MemoryLog]:
    place = ChannelPlace(wire, "5", "9")  # type: ignore[arg-type]
    asked, log = order(ConversationKind.CHAIN, *posts), MemoryLog()
    return AnswerPosts(asked, log, place, aside=Aside(wire, asked, place, wire.direct)), log  # type: ignore[arg-type]


async def test_the_announced_answer_goes_before_the_follow_up_that_only_the_asker_sees() -> None:
    wire = Wire()
    posts, log = behind_an_interaction(wire)
    posts.conclude(ANSWER)
    await drain(posts, final=True)
    assert wire.made == ["DELETE /webhooks/app/tok/messages/@original", "POST /webhooks/app/tok"]
    said = wire.calls[-1][1]
    assert isinstance(said, dict)
    assert (said["content"], said["flags"]) == (WORDS, 64)
    assert said["components"][0]["components"][0]["custom_id"] == "bise:ask.7"
    assert log.entries == [], "there is no post that anybody could find again"


async def test_an_original_that_is_gone_already_is_no_obstacle() -> None:
    wire = Wire({"DELETE": GONE})
    posts, _ = behind_an_interaction(wire)
    posts.conclude(ANSWER)
    await drain(posts, final=True)
    assert wire.made[-1] == "POST /webhooks/app/tok"


async def test_the_posts_of_an_earlier_attempt_are_taken_away_and_forgotten_first() -> None:
    wire = Wire()
    posts, log = behind_an_interaction(wire, Post(0, "41", 0, closed=False))
    posts.conclude(ANSWER)
    await drain(posts, final=True)
    assert wire.made[0] == "DELETE /webhooks/app/tok/messages/41"
    assert log.entries == [("dropped", 0)]
    assert wire.made[-1] == "POST /webhooks/app/tok"


@pytest.mark.parametrize("spent", ["by its time", "by Discord's word"])
async def test_a_spent_token_leads_to_direct_messages(spent: str) -> None:
    wire = Wire({"DELETE /webhooks": OVER})
    posts, _ = behind_an_interaction(wire, until=0.0 if spent == "by its time" else 4e9)
    posts.conclude(ANSWER)
    await drain(posts, final=True)
    assert wire.made[-1] == "POST /channels/dm8/messages"
    assert wire.calls[-1][1]["content"] == f"You asked me something in <#5>. {WORDS}"  # type: ignore[index]
    assert wire.calls[-1][1]["nonce"] == "7.aside", "said again, Discord knows it"  # type: ignore[index]


async def test_closed_direct_messages_leave_a_short_reply_without_figures() -> None:
    wire = Wire({"POST /channels/dm8": CLOSED})
    posts, log = below_a_question(wire)
    posts.conclude(ANSWER)
    await drain(posts, final=True)
    assert wire.made == ["POST /channels/dm8/messages", "POST /channels/5/messages"]
    said = wire.calls[-1][1]["content"]  # type: ignore[index]
    assert "$" not in said
    assert said == sentence(Notice("refused_in_place"), platform="discord")
    assert log.entries[0][1] == 0


@pytest.mark.parametrize("later", [RateLimited(0.5), PlatformUnavailable("502")])
async def test_what_is_refused_for_now_is_said_later_by_the_same_way(later: Exception) -> None:
    wire = Wire({"POST /channels/dm8": later})
    posts, _ = below_a_question(wire)
    posts.conclude(ANSWER)
    with pytest.raises(type(later)):
        await posts.write(final=True)
    wire.refuse.clear()
    await drain(posts, final=True)
    assert wire.made == ["POST /channels/dm8/messages"] * 2


async def test_nothing_is_said_without_the_lease() -> None:
    clock = ManualClock()
    lease = TurnLease(7, 1, 6.0, clock)
    wire = Wire()
    posts, _ = behind_an_interaction(wire, lease=lease)
    posts.conclude(ANSWER)
    clock.advance(60)
    await posts.write(final=True)
    assert wire.calls == []
    assert posts.pending(final=True) is not None


async def test_an_answer_with_words_is_for_everybody_whatever_else_it_says() -> None:
    wire = Wire()
    posts, _ = below_a_question(wire)
    posts.conclude(Answer("Half of it", "failed", (REFUSED,), only_asker=True))
    await drain(posts, final=True)
    assert wire.made == ["POST /channels/5/messages"]


async def test_a_late_writes_mending_says_nothing_a_second_time() -> None:
    wire = Wire()
    posts, _ = below_a_question(wire)
    posts.conclude(ANSWER)
    await drain(posts, final=True)
    before = len(wire.calls)
    posts.conclude(ANSWER)
    posts.begin_again((Post(0, "41", 0, closed=True),))
    await drain(posts, final=True)
    assert [call for call in wire.made[before:] if "dm8" in call] == []


def test_only_where_others_read_along_is_anything_told_aside() -> None:
    alone = {kind for kind in ConversationKind if not for_others_to_see(order(kind))}
    assert alone == {ConversationKind.DM, ConversationKind.PRIVATE}


async def test_an_unknown_refusal_of_the_follow_up_is_not_the_end() -> None:
    wire = Wire({"POST /webhooks": PlatformError("Discord answered 400", code="50035")})
    posts, _ = behind_an_interaction(wire)
    posts.conclude(ANSWER)
    await drain(posts, final=True)
    assert wire.made[-1] == "POST /channels/dm8/messages"
