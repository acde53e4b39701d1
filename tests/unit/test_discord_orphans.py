"""Posts of an answer on Discord that its dead process never wrote down: found again by what they show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bots.discord.controls import PREFIX, again_row, stop_row
from bots.discord.errors import UNKNOWN_MESSAGE
from bots.discord.places import ChannelPlace, Components, InteractionPlace
from bots.discord.posts import AnswerPosts
from bots.discord.said import Said
from bots.writer import RateLimited
from core.errors import PlaceForbidden, PlaceGone, PlatformUnavailable, TokenRevoked
from core.messages import Answer, Post
from core.ports import TurnLost
from tests.unit.test_discord_reply import MemoryLog, MemoryPlace, ScriptedRest, drain, interaction_place, order

WHOLE = "A whole answer."
ASKED = {"via": "message", "message": "9"}
COMMAND = {"via": "interaction", "interaction": "9"}
STOP = frozenset({f"{PREFIX}stop-7"})


def said(
    post: str,
    content: str = "Begun",
    *,
    reply_to: str | None = None,
    interaction: str | None = None,
    buttons: frozenset[str] = frozenset(),
) -> Said:
    return Said(post, content, reply_to, interaction, buttons)


class ListedPlace(MemoryPlace):
    """A place that lists what stands there, or fails to; `looks`: after what it was asked."""

    def __init__(self, *standing: Said) -> None:
        super().__init__()
        self.listed = standing
        self.posts = {one.post: (one.content, stop_row("stop-7")) for one in standing}
        self.looks: list[str] = []
        self.refusals: list[Exception] = []

    async def said(self, after: str) -> list[Said]:
        self.looks.append(after)
        if self.refusals:
            raise self.refusals.pop()
        return list(self.listed)


async def answered(
    place: ListedPlace, log: MemoryLog | None = None, *posts: Post, attempt: int = 2, **address: str
) -> None:
    again = replace(order(*posts), attempt=attempt, address=address or ASKED)
    answer = AnswerPosts(again, log or MemoryLog(), place)
    answer.conclude(Answer(WHOLE))
    await drain(answer, final=True)


@pytest.mark.parametrize(
    ("address", "orphan"),
    [
        (ASKED, said("20", reply_to="9")),
        (ASKED, said("20", buttons=STOP)),
        ({"via": "channel"}, said("20", buttons=STOP)),
        ({"via": "channel"}, said("20", f"{WHOLE} ")),
        (COMMAND, said("20", interaction="9")),
        (COMMAND, said("20", WHOLE)),
    ],
    ids=["replies", "stop of a reply", "stop", "same words", "response", "same words after the token's end"],
)
async def test_the_answer_goes_on_in_the_post_that_its_dead_process_left(address: dict[str, str], orphan: Said) -> None:
    place, log = ListedPlace(orphan), MemoryLog()
    await answered(place, log, **address)
    assert place.posts == {"20": (WHOLE, [])}
    assert log.entries == [("20", 0), ("closed", 0)]
    assert place.looks == ["9"]


@pytest.mark.parametrize(
    "other",
    [
        said("20", reply_to="8"),
        said("20", WHOLE, reply_to="8"),
        said("20", interaction="9"),
        said("20", WHOLE, interaction="8"),
        said("20", buttons=frozenset({f"{PREFIX}stop-8"})),
        said("20", "Your report of today"),
    ],
    ids=["another's reply", "with the same words", "a response", "of other words", "another's button", "a report"],
)
async def test_what_else_the_bot_said_there_is_left_alone(other: Said) -> None:
    place = ListedPlace(other)
    before = dict(place.posts)
    await answered(place)
    assert place.contents == [other.content, WHOLE]
    assert place.posts["20"] == before["20"]


async def test_a_post_that_a_row_owns_is_left_alone() -> None:
    place = ListedPlace(said("20", reply_to="9"))
    await answered(place, MemoryLog(others=frozenset({"20"})))
    assert place.contents == ["Begun", WHOLE]


async def test_a_first_attempt_does_not_look() -> None:
    place = ListedPlace(said("20", reply_to="9"))
    await answered(place, attempt=1)
    assert place.looks == []


async def test_where_all_posts_are_known_nobody_looks() -> None:
    place = ListedPlace(said("20", reply_to="9"))
    await answered(place, None, Post(0, "20", 0, closed=False))
    assert (place.looks, place.contents) == ([], [WHOLE])


async def test_the_look_begins_after_the_last_known_post_and_its_find_continues_the_answer() -> None:
    place, log = ListedPlace(said("30", buttons=STOP)), MemoryLog()
    place.posts = {"20": ("old", []), **place.posts}
    words = "word " * 500
    answer = AnswerPosts(replace(order(Post(0, "20", 0, closed=True)), attempt=2, address=ASKED), log, place)
    answer.conclude(Answer(words))
    await drain(answer, final=True)
    assert place.looks == ["20"]
    assert list(place.posts) == ["20", "30"]
    assert " ".join(place.contents).split() == words.split()
    start = next(start for post, start in log.entries if post == "30")
    assert 1900 < start <= 2000


async def test_what_is_found_beyond_the_answers_end_is_removed() -> None:
    place, log = ListedPlace(said("20", reply_to="9"), said("21", buttons=STOP)), MemoryLog()
    await answered(place, log)
    assert place.posts == {"20": (WHOLE, [])}
    assert log.entries == [("20", 0), ("21", 0), ("closed", 0), ("dropped", 1)]


async def test_a_find_that_shows_everything_already_is_closed_all_the_same() -> None:
    place, log = ListedPlace(said("20", WHOLE, reply_to="9")), MemoryLog()
    await answered(place, log)
    assert place.contents == [WHOLE]
    assert log.entries[-1] == ("closed", 0)


async def test_a_find_that_its_late_maker_took_away_is_replaced() -> None:
    class TakenAway(ListedPlace):
        async def edit(self, post: str, content: str, components: Components) -> None:
            if post == "20":
                raise PlaceGone("Unknown Message", code=UNKNOWN_MESSAGE)
            await super().edit(post, content, components)

    place, log = TakenAway(said("20", reply_to="9")), MemoryLog()
    del place.posts["20"]
    await answered(place, log)
    assert place.contents == [WHOLE]
    assert log.entries == [("20", 0), ("dropped", 0), ("p0", 0), ("closed", 0)]


async def test_a_find_of_a_lost_turn_is_left_to_the_new_owner() -> None:
    place = ListedPlace(said("20", reply_to="9"))
    with pytest.raises(TurnLost):
        await answered(place, MemoryLog(lost=True))
    assert place.contents == ["Begun"]
    assert place.calls == []


@pytest.mark.parametrize("refusal", [PlatformUnavailable("502"), TokenRevoked("401"), RateLimited(1.0)])
async def test_nothing_is_posted_before_the_look_has_been_had(refusal: Exception) -> None:
    place = ListedPlace(said("20", reply_to="9"))
    place.refusals = [refusal]
    answer = AnswerPosts(replace(order(), attempt=2, address=ASKED), MemoryLog(), place)
    answer.conclude(Answer(WHOLE))
    with pytest.raises(type(refusal)):
        await answer.write(final=True)
    assert place.contents == ["Begun"]
    await drain(answer, final=True)
    assert place.contents == [WHOLE]
    assert place.looks == ["9", "9"]


async def test_where_the_bot_may_not_look_it_still_answers() -> None:
    place = ListedPlace()
    place.refusals = [PlaceForbidden("Missing Access", code="50001")]
    await answered(place)
    assert place.contents == [WHOLE]
    assert place.looks == ["9"]


def listed(post: str, author: str, **more: object) -> dict[str, object]:
    return {"id": post, "content": "Begun", "author": {"id": author, "bot": True}, "components": [], **more}


async def test_of_what_a_channel_lists_only_our_own_is_ours_and_the_oldest_comes_first() -> None:
    asked = {"message_reference": {"message_id": "9", "channel_id": "5"}}
    page = [
        listed("100", "1", interaction_metadata={"id": "8"}, components=again_row("again-7")),
        listed("21", "2", **asked),  # another bot
        listed("20", "1", **asked, components=stop_row("stop-7")),
    ]
    rest = OwnRest(page, page)
    channel = ChannelPlace(rest, "5")  # type: ignore[arg-type]
    again = frozenset(button["custom_id"] for button in again_row("again-7")[0]["components"])
    found = [said("20", reply_to="9", buttons=STOP), said("100", interaction="8", buttons=again)]
    assert await channel.said("9") == found
    assert await interaction_place(rest).said("9") == found
    assert rest.calls == [("GET", "/channels/5/messages?after=9&limit=100")] * 2


async def test_a_private_place_lists_nothing_and_asks_nobody() -> None:
    rest = OwnRest()
    place: InteractionPlace = interaction_place(rest, private=True)
    assert await place.said("9") == []
    assert rest.calls == []


async def test_only_the_first_post_of_an_answer_replies_also_in_a_later_attempt() -> None:
    class Bodies(ScriptedRest):
        async def call(self, method: str, path: str, json: object = None, **_: object) -> object:
            self.bodies = [*getattr(self, "bodies", []), json]
            return await super().call(method, path, json)

    rest = Bodies(None, {"id": "21"})
    channel = ChannelPlace(rest, "5", "9")  # type: ignore[arg-type]
    await channel.edit("20", "one", [])
    await channel.send("two", [], "7.1")
    assert "message_reference" not in rest.bodies[-1]


class OwnRest(ScriptedRest):
    async def own_id(self) -> str:
        return "1"
