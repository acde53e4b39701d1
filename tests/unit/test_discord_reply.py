"""An answer's posts on Discord, written one call at a time into a place of a few lines."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Collection
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.discord import words
from bots.discord.controls import again_row, stop_row
from bots.discord.errors import UNKNOWN_MESSAGE, platform_error
from bots.discord.places import ChannelPlace, Components, InteractionPlace, PrivateReplyOver, Sent
from bots.discord.posts import LONGEST_POST, AnswerPosts
from bots.discord.reply import DiscordReply
from bots.pace import Limit
from bots.rendering import render
from bots.replies import sentence
from bots.splitting import split, unsplit
from bots.writer import UNFENCED, Writer
from core.errors import PlaceForbidden, PlaceGone, PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import AcceptOutcome, Answer, ConversationKind, Notice, Post, ReplyOrder, WorkspaceKey
from core.ports import Lease, TurnLost
from core.turns.lease import TurnLease
from tests.fakes import ManualClock

PARAGRAPHS = "\n\n".join(f"Paragraph {number}. " + "word " * 80 for number in range(12))


class MemoryPlace:
    """A place that keeps what is written: id → (content, components)."""

    def __init__(self, *, first: str | None = None, opens: bool = False) -> None:
        self.opens = opens
        self.posts: dict[str, tuple[str, Components]] = {first: ("", [])} if first else {}
        self.first = first
        self.calls: list[str] = []
        self.nonces: list[str] = []
        self.fail: PlatformError | None = None
        self.standing: dict[str, tuple[str, Components]] = {}  # by nonce: sent before, its answer lost

    async def open(self) -> str | None:
        return self.first

    async def send(self, content: str, components: Components, nonce: str) -> Sent:
        self._called("send", content)
        post = f"p{len(self.nonces)}"
        self.nonces.append(nonce)
        standing = self.standing.pop(nonce, (content, components))
        self.posts[post] = standing
        return Sent(post, standing[0], bool(standing[1]))

    async def edit(self, post: str, content: str, components: Components) -> None:
        self._called("edit", content)
        self.posts[post] = (content, components)

    async def delete(self, post: str) -> None:
        self._called("delete", "")
        del self.posts[post]

    def _called(self, name: str, content: str) -> None:
        self.calls.append(name)
        assert len(content) <= LONGEST_POST
        if self.fail is not None:
            raise self.fail

    @property
    def contents(self) -> list[str]:
        return [content for content, _ in self.posts.values()]


class MemoryLog:
    def __init__(self, lease: Lease = UNFENCED, *, lost: bool = False, others: frozenset[str] = frozenset()) -> None:
        self.entries: list[tuple[str, int]] = []
        self.lease = lease
        self.lost = lost
        self.others = others  # what other attempts own

    async def add(self, ordinal: int, platform_id: str, start: int) -> None:
        if self.lost:
            raise TurnLost
        self.entries.append((platform_id, start))

    async def close(self, ordinal: int) -> None:
        self.entries.append(("closed", ordinal))

    async def drop(self, ordinal: int) -> None:
        self.entries.append(("dropped", ordinal))

    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        return frozenset(platform_ids) & {*self.others, *(post for post, _ in self.entries)}


def order(*posts: Post) -> ReplyOrder:
    here = WorkspaceKey("discord", "1")
    return ReplyOrder(7, 1, here, ConversationKind.CHAIN, "5", "6", "8", "9", {}, "stop-7", posts)


async def drain(posts: AnswerPosts, *, final: bool = False) -> None:
    for _ in range(100):
        if posts.pending(final=final) is None:
            return
        await posts.write(final=final)
    raise AssertionError("it never ends")


async def test_each_write_makes_exactly_one_call() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    posts.add(PARAGRAPHS)
    while posts.pending(final=False) is not None:
        before = len(place.calls)
        await posts.write(final=False)
        assert len(place.calls) == before + 1


async def test_the_posts_of_a_whole_answer_are_its_pieces() -> None:
    place, log = MemoryPlace(), MemoryLog()
    posts = AnswerPosts(order(), log, place)
    for start in range(0, len(PARAGRAPHS), 333):
        posts.add(PARAGRAPHS[start : start + 333])
        await drain(posts)
    posts.conclude(Answer(PARAGRAPHS))
    await drain(posts, final=True)
    pieces = split(render(PARAGRAPHS, "discord"), LONGEST_POST)
    assert place.contents == [piece.text for piece in pieces]
    assert unsplit(pieces) == render(PARAGRAPHS, "discord")
    assert [entry for entry in log.entries if entry[0].startswith("p")] == [
        (f"p{number}", piece.start) for number, piece in enumerate(pieces)
    ]
    full = [("closed", number) for number in range(len(pieces) - 1)]  # the last one is closed with its turn
    assert [entry for entry in log.entries if entry[0] == "closed"][: len(full)] == full


async def test_only_the_newest_open_post_has_the_stop_button_and_a_finished_answer_none() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    text = PARAGRAPHS[: LONGEST_POST + 700]  # two posts, the second far from full
    posts.add(text)
    await drain(posts)
    rows = [components for _, components in place.posts.values()]
    assert rows[-1] == stop_row("stop-7")
    assert all(row == [] for row in rows[:-1])
    assert len(rows) > 1
    posts.conclude(Answer(text, "cancelled", (Notice("stopped"),)))
    await drain(posts, final=True)
    assert all(components == [] for _, components in place.posts.values())
    assert place.contents[-1].endswith("\n-# Stopped.")


@pytest.mark.parametrize(
    ("text", "notice"),
    [("", "model_given_up"), ("Let me look.", "model_overloaded"), ("x" * (LONGEST_POST - 5), "model_overloaded")],
    ids=["no text", "some text", "a post of its own"],
)
async def test_an_answer_that_can_be_asked_again_has_that_button_on_its_last_post_alone(text: str, notice: str) -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    posts.add(text)
    await drain(posts)
    answer = Answer(text, "failed", (Notice(notice),), again="again-7")
    posts.conclude(answer)
    await drain(posts, final=True)
    rows = [components for _, components in place.posts.values()]
    assert rows == [*[[]] * (len(rows) - 1), again_row("again-7")]
    assert place.contents[-1].endswith(sentence(Notice(notice), platform="discord"))
    posts.conclude(Answer(text, "failed", (Notice(notice),)))
    posts.begin_again(tuple(Post(number, post, 0, closed=True) for number, post in enumerate(place.posts)))
    await drain(posts, final=True)
    assert all(components == [] for _, components in place.posts.values()), "once it was used it is not shown again"


async def test_a_nearly_full_post_loses_its_button_with_its_words_and_costs_no_write_of_its_own() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    writes = 0
    for _ in range(60):
        posts.add("some words more, and yet some more. ")
        while posts.pending(final=False) is not None:
            before = list(place.contents)
            await posts.write(final=False)
            writes += 1
            assert place.contents != before, "each write shows new words"
    assert writes > 50
    assert len(place.posts) == 2


async def test_a_second_post_is_opened_only_when_the_first_can_change_no_more() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    posts.add("word " * 405)
    await drain(posts)
    assert len(place.posts) == 1
    posts.add("word " * 60)
    await drain(posts)
    first = place.contents[0]
    assert len(place.posts) == 2
    posts.add("word " * 300)
    await drain(posts)
    assert place.contents[0] == first


async def test_the_question_stands_above_the_answer_and_is_no_part_of_it() -> None:
    place, log = MemoryPlace(), MemoryLog()
    lead = words.quote("why " * 100)
    posts = AnswerPosts(order(), log, place, lead=lead)
    posts.add(PARAGRAPHS)
    posts.conclude(Answer(PARAGRAPHS))
    await drain(posts, final=True)
    assert place.contents[0].startswith(f"{lead}\nParagraph 0.")
    pieces = split(render(PARAGRAPHS, "discord"), LONGEST_POST - len(lead) - 1)
    assert [content.removeprefix(f"{lead}\n") for content in place.contents] == [piece.text for piece in pieces]
    assert log.entries[0] == ("p0", 0)


async def test_a_notice_that_does_not_fit_gets_a_post_of_its_own() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    text = "x" * LONGEST_POST
    posts.conclude(Answer(text, "done", (Notice("length"),)))
    await drain(posts, final=True)
    assert place.contents == [text, "-# The answer reached its greatest length. Ask me to go on."]


async def test_without_text_the_notice_is_the_post() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    posts.conclude(Answer("", "failed", (Notice("model_timeout"), Notice("cannot_see"))))
    await drain(posts, final=True)
    (content,) = place.contents
    assert content.startswith("The model did not answer in time.")
    assert "-#" not in content


async def test_a_deferred_answer_is_stored_before_anything_is_written_into_it() -> None:
    place, log = MemoryPlace(first="deferred", opens=True), MemoryLog()
    posts = AnswerPosts(order(), log, place)
    await posts.open()
    assert log.entries == [("deferred", 0)]
    posts.add("Hello")
    assert posts.pending(final=False) == "edit"
    await drain(posts)
    assert place.posts == {"deferred": ("Hello", stop_row("stop-7"))}
    assert log.entries == [("deferred", 0)]


async def test_another_attempt_writes_over_the_posts_of_the_one_before() -> None:
    place, log = MemoryPlace(), MemoryLog()
    place.posts = {"a": ("old one", stop_row("stop-7")), "b": ("old two", []), "c": ("old three", [])}
    earlier = (Post(1, "b", 5, closed=True), Post(0, "a", 0, closed=False), Post(2, "c", 9, closed=True))
    posts = AnswerPosts(order(*earlier), log, place)
    posts.add("New")
    await drain(posts)
    assert place.contents == ["New", "old two", "old three"]
    posts.conclude(Answer("New text"))
    await drain(posts, final=True)
    assert place.posts == {"a": ("New text", [])}
    assert log.entries == [("closed", 0), ("dropped", 2), ("dropped", 1)]


async def test_a_post_that_somebody_deleted_is_not_written_again() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    posts.add("Something")
    await drain(posts)
    place.fail = PlaceGone("Unknown Message", code=UNKNOWN_MESSAGE)
    posts.add(" more")
    await drain(posts)
    place.calls.clear()
    posts.conclude(Answer("Something more and more"))
    await drain(posts, final=True)
    assert place.calls == []


async def test_an_older_text_found_by_its_nonce_is_brought_up_to_date_before_it_counts_as_shown() -> None:
    place, log = MemoryPlace(), MemoryLog()
    place.standing["7.0"] = ("Hello wor", stop_row("stop-7"))
    posts = AnswerPosts(order(), log, place)
    posts.conclude(Answer("Hello world."))
    await posts.write(final=True)
    assert log.entries == [("p0", 0)]
    await drain(posts, final=True)
    assert place.posts == {"p0": ("Hello world.", [])}
    assert place.calls == ["send", "edit"]
    assert log.entries == [("p0", 0), ("closed", 0)]


async def test_nothing_is_sent_while_what_came_is_only_whitespace() -> None:
    posts = AnswerPosts(order(), MemoryLog(), MemoryPlace())
    posts.add("  \n\n ")
    assert posts.pending(final=False) is None


async def test_a_send_is_named_by_turn_and_ordinal_whatever_the_attempt() -> None:
    place = MemoryPlace()
    posts = AnswerPosts(order(), MemoryLog(), place)
    posts.conclude(Answer(PARAGRAPHS))
    await drain(posts, final=True)
    assert place.nonces == [f"7.{number}" for number in range(len(place.posts))]
    assert max(map(len, place.nonces)) <= 25


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=300),
            st.sampled_from(["```py\n", "```\n", "\n\n", "- item\n", "@everyone ", "| a | b |\n", "word " * 200]),
        ),
        max_size=30,
    ),
    st.integers(),
)
def test_whatever_comes_the_posts_end_as_the_pieces_of_the_whole(deltas: list[str], seed: int) -> None:
    text = "".join(deltas)
    chance = random.Random(seed)

    async def stream() -> list[str]:
        place = MemoryPlace()
        posts = AnswerPosts(order(), MemoryLog(), place)
        for delta in deltas:
            posts.add(delta)
            if chance.random() < 0.5 and posts.pending(final=False) is not None:
                await posts.write(final=False)
        posts.conclude(Answer(text))
        await drain(posts, final=True)
        return place.contents

    pieces = split(render(text, "discord"), LONGEST_POST)
    assert asyncio.run(stream()) == ([piece.text for piece in pieces] or ["…"])


def writer() -> Writer:
    return Writer(lambda _: Limit(5, 0.05), min_gap=0.001)


async def test_the_sign_of_life_ends_with_the_first_text() -> None:
    ended = asyncio.Event()

    async def busy() -> PlatformError | None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return None

    place = MemoryPlace()
    reply = DiscordReply(7, AnswerPosts(order(), MemoryLog(), place), writer(), busy=asyncio.create_task(busy()))
    await asyncio.sleep(0)
    reply.write("Hi")
    await asyncio.wait_for(ended.wait(), 1)
    await reply.finish(Answer("Hi"))
    assert place.contents == ["Hi"]


async def test_a_failure_is_told_and_raised_and_the_reply_has_ended() -> None:
    place, told, ended = MemoryPlace(), [], []
    place.fail = PlaceForbidden("no", code="50013")

    async def failed(error: PlatformError) -> None:
        told.append(error)

    posts = AnswerPosts(order(), MemoryLog(), place)
    reply = DiscordReply(7, posts, writer(), failed=failed, ended=lambda: ended.append(True))
    with pytest.raises(PlaceForbidden):
        await reply.finish(Answer("Hi"))
    assert told == [place.fail]
    assert ended == [True]


async def test_an_abandoned_reply_writes_no_more() -> None:
    place = MemoryPlace()
    reply = DiscordReply(7, AnswerPosts(order(), MemoryLog(), place), writer())
    reply.write("Hi")
    await asyncio.sleep(0.01)
    await reply.abandon()
    reply.write(" there")
    await asyncio.sleep(0.02)
    assert place.contents == ["Hi"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, 0, TokenRevoked),
        (401, 50027, PlaceGone),
        (403, 50013, PlaceForbidden),
        (403, 99999, PlaceForbidden),
        (404, 10003, PlaceGone),
        (404, 10008, PlaceGone),
        (404, None, PlaceGone),
        (400, 50083, PlaceGone),
        (400, 50035, PlatformError),
        (429, None, PlatformUnavailable),
        (500, None, PlatformUnavailable),
        (503, None, PlatformUnavailable),
    ],
)
def test_every_refusal_of_discord_has_its_error(status: int, code: int | None, kind: type[PlatformError]) -> None:
    assert type(platform_error(status, code, "words")) is kind


def test_a_quote_is_one_short_line() -> None:
    assert words.quote("a\n\nb") == "> a b"
    assert len(words.quote("word " * 200)) <= 200
    assert words.quote("x" * 300).endswith("…")


@pytest.mark.parametrize(
    "prompt",
    ["```py\nprint()\n```", "a `b` **c** __d__ ~~e~~ ||f||", "# loud", "> > deep", "-# small", "[x](http://y)"],
)
def test_a_quoted_prompt_brings_no_markup_into_the_answer(prompt: str) -> None:
    quoted = words.quote(prompt).removeprefix("> ")
    assert "`" not in quoted
    assert "\n" not in quoted
    assert not re.search(r"(?<!\\)(\*\*|__|~~|\|\|)", quoted)
    assert not quoted.startswith(("#", ">", "-", "["))


def test_a_quote_is_cut_between_characters_and_never_behind_an_escape() -> None:
    for length in range(80, 120):
        quoted = words.quote("*" * length, "8")
        assert len(quoted) <= 200
        assert quoted.replace("\\*", "").strip() in {"> <@8>:", "> <@8>: …"}


def test_every_outcome_but_a_turn_has_its_sentence() -> None:
    assert set(words.NOT_ANSWERED) == set(get_args(AcceptOutcome)) - {"turn"}


def test_a_thread_has_a_name_whatever_the_topic() -> None:
    assert words.thread_name("  bees\nand wasps ") == "bees and wasps"
    assert 1 <= len(words.thread_name("y" * 500)) <= 100
    assert words.thread_name("   ") == "Chat"


class ScriptedRest:
    """REST calls with prepared answers, kept as (method, path)."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, str]] = []

    async def call(self, method: str, path: str, json: object = None, **_: object) -> object:
        self.calls.append((method, path))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def interaction_place(rest: ScriptedRest, *, private: bool = False, until: float = 4e9) -> InteractionPlace:
    address = {"token": "tok", "application": "app", "until": str(until), "private": "yes" if private else "no"}
    return InteractionPlace(rest, address, ChannelPlace(rest, "5"), None)  # type: ignore[arg-type]


async def test_a_follow_up_whose_answer_was_lost_is_looked_for_before_it_is_sent_again() -> None:
    standing = {"id": "11", "content": "two", "author": {"bot": True}}
    rest = ScriptedRest({"id": "10"}, PlatformUnavailable("502"), [standing])
    place = interaction_place(rest)
    assert (await place.send("one", [], "n0")).post == "10"
    with pytest.raises(PlatformUnavailable):
        await place.send("two", [], "n1")
    assert await place.send("two and three", [], "n1") == Sent("11", "two", buttons=False)
    assert rest.calls[-1] == ("GET", "/channels/5/messages?after=10&limit=50")


async def test_a_spent_token_gives_way_to_the_channel_but_never_for_a_private_answer() -> None:
    rest = ScriptedRest(PlaceGone("Invalid Webhook Token", code="50027"), None, None)
    public = interaction_place(rest)
    await public.edit("10", "text", [])
    await public.edit("10", "more", [])
    assert [path for _, path in rest.calls[1:]] == ["/channels/5/messages/10"] * 2
    rest = ScriptedRest()
    with pytest.raises(PrivateReplyOver):
        await interaction_place(rest, private=True, until=0).edit("10", "secret", [])
    assert rest.calls == []


# under a lease


async def test_a_post_made_after_the_turn_was_lost_is_taken_away() -> None:
    place = MemoryPlace()
    reply = DiscordReply(7, AnswerPosts(order(), MemoryLog(lost=True), place), writer())
    with pytest.raises(TurnLost):
        await reply.finish(Answer("A cold wind."))
    assert (place.calls, place.posts) == (["send", "delete"], {})


async def test_a_post_that_the_nonce_gave_to_the_new_owner_is_left_to_them() -> None:
    place = MemoryPlace()
    reply = DiscordReply(7, AnswerPosts(order(), MemoryLog(lost=True, others=frozenset({"p0"})), place), writer())
    with pytest.raises(TurnLost):
        await reply.finish(Answer("A cold wind."))
    assert place.contents == ["A cold wind."]


async def test_a_deferred_answer_that_is_somebody_elses_by_then_is_no_fault() -> None:
    place = MemoryPlace(first="p9", opens=True)
    log = MemoryLog(lost=True, others=frozenset({"p9"}))
    reply = DiscordReply(7, AnswerPosts(order(), log, place), writer())
    await asyncio.sleep(0)
    assert reply.error() is None
    await reply.abandon()
    assert place.calls == []


async def test_nothing_is_written_without_the_lease() -> None:
    place, clock = MemoryPlace(), ManualClock()
    lease = TurnLease(7, 1, 6.0, clock)
    clock.advance(7)
    reply = DiscordReply(7, AnswerPosts(order(), MemoryLog(lease), place), writer(), lease=lease)
    reply.write("A cold ")
    finishing = asyncio.create_task(reply.finish(Answer("A cold wind.")))
    await asyncio.sleep(0.01)
    assert place.calls == []
    lease.lengthen(clock.monotonic() + 6)
    await finishing
    assert place.contents == ["A cold wind."]


async def test_a_lease_that_ends_between_the_writers_question_and_the_call_stops_the_call() -> None:
    class SlowToOpen(MemoryPlace):
        async def open(self) -> str | None:
            clock.advance(7)
            return self.first

    clock = ManualClock()
    lease = TurnLease(7, 1, 6.0, clock)
    place = SlowToOpen(first="p9", opens=True)
    posts = AnswerPosts(order(), MemoryLog(lease), place)
    posts.add("A cold wind. ")
    assert lease.held()
    await posts.write(final=False)
    assert place.calls == []


async def test_an_answer_is_written_again_over_whatever_a_late_write_left() -> None:
    place, log = MemoryPlace(), MemoryLog()
    reply = DiscordReply(7, AnswerPosts(order(), log, place), writer())
    await reply.finish(Answer(PARAGRAPHS))
    shown = place.contents
    assert len(shown) > 1
    place.posts["p0"] = ("A late wri", stop_row("stop-7"))
    kept = tuple(Post(number, post, 0, closed=True) for number, post in enumerate(place.posts))
    await reply.again(Answer(PARAGRAPHS), kept)
    assert place.contents == shown
    assert all(buttons == [] for _, buttons in place.posts.values())
