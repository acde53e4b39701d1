from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.graphemes import boundary
from bots.rendering import render
from bots.splitting import LOOKAHEAD, SMALLEST_LIMIT, Piece, Splitter, open_fence, split, unsplit

FAMILY = "👩\u200d👩\u200d👧\u200d👦"

PROSE = ["hello", "sentence.", "`code span`", "`half", "x" * 80, "y" * 300, "e\u0301", "中文字。", "שלום", "مرحبا"]
SHARDS = [
    "🇫🇷🇩🇪",
    FAMILY,
    "https://a.b/" + "c" * 40,
    "  ",
    "\t",
    " ",
    "\n",
    "\n\n",
    " \n",
    "--",
    "*",
    "~",
    "`",
    "```",
    "1.",
    "|",
]
FENCES = ["```", "```py", "~~~", "````", "  ```js title=x", "~~~~ ~", "```a`b", "```" + "i" * 90]
LINES = [
    "- item",
    "  - nested",
    "1. one",
    "| a | b |",
    "|---|---|",
    "# Title",
    "> quote",
    "    indented",
    "",
    "   ",
    "x" * 120,
]

words = st.sampled_from(PROSE + SHARDS)
lines = st.sampled_from(FENCES + LINES)
texts = st.lists(
    st.one_of(lines.map(lambda line: f"\n{line}\n"), st.lists(words, max_size=8).map(" ".join), st.text(max_size=20)),
    max_size=40,
).map("".join)
limits = st.sampled_from([SMALLEST_LIMIT, 300, 410])


def outside_lists(text: str) -> str:
    """The same text with no fence deeper than CommonMark allows outside of lists: for a judge that knows no lists."""
    while (flat := re.sub(r"(?m)^(?:[ \t]|[-*+] +|\d+[.)] +)+(?=[`~]{3})", "", text)) != text:
        text = flat
    return text


def ends_in_fence(text: str) -> bool:
    """A second, plain opinion on whether a text ends inside fenced code."""
    mark = ""
    for line in text.split("\n"):
        found = re.match(r" {0,3}(`{3,}|~{3,})([^\n]*)$", line)
        if not found:
            continue
        run, rest = found.groups()
        if not mark and not (run[0] == "`" and "`" in rest):
            mark = run
        elif mark and run[0] == mark[0] and len(run) >= len(mark) and not rest.strip(" \t"):
            mark = ""
    return bool(mark)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(text=texts, limit=limits)
@example(text="`" * 900, limit=300)
@example(text="a" + "\u0301" * 900, limit=300)
@example(text="```py\n" + " " * 900 + "x\n```", limit=300)
@example(text="```" + "i" * 900 + "\ncode\n```", limit=300)
@example(text="~~~ " + "~" * 700, limit=300)
@example(text="```a" + " b" * 151 + "`", limit=300)
@example(text="x " * 120 + "```a" + "b" * 70 + "`", limit=300)
def test_no_piece_is_too_long_and_together_they_are_the_text(text: str, limit: int) -> None:
    text = outside_lists(render(text, "slack"))
    pieces = split(text, limit)
    assert unsplit(pieces) == (text if text.strip() else "")
    for piece in pieces:
        assert 0 < len(piece.text) <= limit
        assert piece.text == piece.text.strip()
        assert piece.body == text[piece.start : piece.end]
        assert not (piece.before + piece.gap).strip()
        assert open_fence(piece.text) is None
        assert len(re.findall(r"(?m)^[`~]{33,}", piece.text)) or not ends_in_fence(piece.text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=texts, limit=limits, share=st.floats(0, 1))
def test_a_settled_piece_and_the_sure_part_of_any_other_stand_in_every_longer_text(
    text: str, limit: int, share: float
) -> None:
    whole = split(text, limit)
    early = split(text[: int(len(text) * share)], limit)
    for number, piece in enumerate(early):
        if piece.settled:
            assert whole[number] == piece
        else:
            assert whole[number].text.startswith(piece.text[: piece.sure])
            assert piece is early[-1] or piece.start + limit + LOOKAHEAD > int(len(text) * share)


DOCUMENT = (
    "Some words about it, and a few more. Then:\n\n## Title\n\n```python\ndef f(x):\n    return x\n\nprint(f(1))\n```\n"
    f"After it {FAMILY} and 🇫🇷 more.\n\n- one\n- two\n  and on\n\n"
    "| a | b |\n|---|---|\n| c | d |\n\n1. x\n\n   ~~~\n   y\n   ~~~\n"
)


@pytest.mark.parametrize("shift", range(0, 300, 9))
def test_every_step_of_a_growing_document_keeps_what_was_sure(shift: int) -> None:
    text = ("word " * 60)[:shift] + "\n" + DOCUMENT * 4
    whole, splitter = split(text, 300), Splitter(300)
    for end in range(1, len(text)):
        for number, piece in enumerate(splitter.feed(text[:end])):
            assert whole[number] == piece if piece.settled else whole[number].text.startswith(piece.text[: piece.sure])


@pytest.mark.parametrize("closing", ["```", "   ``````"])
@pytest.mark.parametrize("shift", range(9))
def test_a_fence_that_ends_where_a_post_does_changes_nothing_that_was_sure(closing: str, shift: int) -> None:
    for lines in range(20, 50):
        text = "x" * shift + "\n```py\n" + "a = 12\n" * lines + closing + "\n" + "after " * 80
        whole, known = split(text, 300), text.index("after")
        for end in [*range(known - 14, known), *range(298, 330)]:
            for number, piece in enumerate(split(text[:end], 300)):
                assert (
                    whole[number] == piece if piece.settled else whole[number].text.startswith(piece.text[: piece.sure])
                )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=texts, limit=limits, step=st.integers(1, 200))
def test_a_splitter_that_sees_a_text_grow_agrees_with_one_that_sees_it_whole(text: str, limit: int, step: int) -> None:
    splitter, seen = Splitter(limit), []
    for end in range(0, len(text) + step, step):
        seen = splitter.feed(text[:end])
    assert seen == split(text, limit)


def bodies(pieces: list[Piece]) -> list[str]:
    return [piece.body for piece in pieces]


def test_a_short_text_is_one_piece() -> None:
    assert split("Hello.", 2000) == [Piece("Hello.", 0, 6, sure=0)]


def test_a_text_without_a_visible_character_has_no_pieces() -> None:
    assert split(" \n\t ", 2000) == []


def test_white_space_at_the_ends_is_kept_beside_the_pieces() -> None:
    (piece,) = split("\n  Hello \n", 2000)
    assert (piece.before, piece.text, piece.gap) == ("\n  ", "Hello", " \n")


def test_a_limit_too_small_for_fences_is_refused() -> None:
    with pytest.raises(ValueError, match="fence"):
        split("x", 20)


@pytest.mark.parametrize("between", ["\n\n", "\n", ". ", " "])
def test_the_best_break_near_the_end_is_taken(between: str) -> None:
    first = "word " * 55 + "end"
    worse = {"\n\n": "\nc. d e", "\n": " c. d e", ". ": " d e", " ": "x"}[between]
    text = first + between + worse + "z" * 200
    assert len(split(text, 300)) == 2
    assert bodies(split(text, 300))[0] == first + between.strip()


def test_fenced_code_cut_in_two_is_closed_and_opened_again_with_its_language() -> None:
    code = "".join(f"    line_{n} = {n}\n" for n in range(40))
    first, second, *_ = split(f"Look:\n\n```python title=a\n{code}```\nDone.", 300)
    assert first.text.startswith("Look:\n\n```python title=a\n    line_0 = 0\n")
    assert first.text.endswith("\n```")
    assert first.tail == "\n```"
    assert second.lead == "```python title=a\n"
    assert second.text.startswith("```python title=a\n    line_")


def test_a_code_line_is_never_torn_when_it_fits_into_a_post() -> None:
    long = "x = [" + "1, " * 80 + "]"
    text = "```py\n" + "\n".join(["a = 1", long] * 10) + "\n```"
    shown = [line for piece in split(text, 300) for line in piece.body.split("\n")]
    assert shown.count(long) == 10


def test_no_post_shows_an_empty_fence() -> None:
    for filler in range(200, 300):
        text = "x" * 40 + " " + "w " * (filler // 2) + "\n```py\ncode = 1\n```\n" + "after " * 60
        assert not any(re.search(r"```(py)?\n+```", piece.text) for piece in split(text, 300))


@pytest.mark.parametrize("length", [*range(270, 310), 700])
def test_a_code_line_that_fills_a_post_is_not_parted_from_its_fence(length: int) -> None:
    for text in (f"```py\n{'x' * length}\n```", f"```py\n{'x = 1; ' * (length // 7)}\n```\nAfter it."):
        assert not any(re.search(r"```(py)?\n+```", piece.text) for piece in split(text, 300))


def test_a_mark_above_a_space_stays_with_its_space() -> None:
    assert not any(piece.text.startswith("\u0301") for piece in split("a \u0301b" * 300, 300))


def test_a_text_that_ends_in_an_open_fence_is_closed() -> None:
    (piece,) = split("```py\nx = 1", 2000)
    assert piece.text == "```py\nx = 1\n```"
    assert unsplit([piece]) == "```py\nx = 1"


def test_a_fence_within_a_list_item_is_closed_at_its_column() -> None:
    text = "1. Install:\n\n   ```bash\n" + "   pip install something\n" * 20 + "   ```\n2. Run."
    pieces = split(text, 300)
    assert pieces[0].tail == "\n   ```"
    assert pieces[1].lead == "```bash\n"
    assert unsplit(pieces) == text


def test_a_shorter_fence_within_a_longer_one_closes_nothing() -> None:
    text = "````md\n" + "```py\nx\n```\ntext\n" * 30 + "````"
    assert all(piece.text.startswith("````md") and piece.text.endswith("````") for piece in split(text, 300))


def test_an_absurd_info_string_is_not_repeated_whole() -> None:
    text = "```python " + "x" * 150 + "\n" + "code\n" * 100 + "```"
    assert split(text, 300)[1].lead == "```python\n"


def test_a_row_of_a_table_is_not_torn() -> None:
    row = "| a cell with some words in it | another. And more |"
    text = "| x | y |\n|---|---|\n" + f"{row}\n" * 30
    rows = [line for piece in split(text, 300) for line in piece.body.split("\n")]
    assert rows.count(row) == 30


def test_an_item_of_a_list_stays_whole() -> None:
    item = "- an item with several words. And a second sentence\n  on a second line"
    pieces = split("\n".join([item] * 12), 300)
    assert all(piece.text.startswith("- an item") for piece in pieces)
    assert all(piece.text.endswith("second line") for piece in pieces)


def test_a_heading_goes_with_what_it_heads() -> None:
    text = "word " * 40 + "\n\nAnother paragraph here.\n\n## Title\n\n" + "text " * 60
    assert bodies(split(text, 300))[0].endswith("Another paragraph here.")


@pytest.mark.parametrize("cluster", [FAMILY, "🇫🇷", "e\u0301\u0323", "👍🏽", "❤\ufe0f", "\u1100\u1161\u11a8", "नि"])
def test_what_people_see_as_one_character_is_never_torn(cluster: str) -> None:
    for shift in range(8):
        pieces = split("x" * shift + cluster * 300, 300)
        assert len(pieces) > 1
        assert all(piece.body.removeprefix("x" * shift) == cluster * (piece.body.count(cluster)) for piece in pieces)


def test_a_text_in_a_script_without_spaces_is_cut_at_its_sentences() -> None:
    assert all(piece.text.endswith("。") for piece in split("这是一个句子。" * 200, 300))


def test_a_word_goes_whole_into_the_next_post() -> None:
    link = "https://example.org/" + "q" * 250
    assert link in bodies(split(f"See {link} {'for more ' * 9}", 300))[0]
    assert bodies(split(f"{'word ' * 20}{link} for more", 300))[1].startswith(link)


def test_a_growing_post_shows_nearly_all_of_what_is_known() -> None:
    """Prose within a word, code within a line, until the post is nearly full."""
    prose = "The quick brown fox jumps over the lazy dog. " * 100
    for end in range(100, 9000, 97):
        (piece,) = split(prose[:end], 10_000) if end < len(prose) else split(prose, 10_000)
        assert len(piece.text) - piece.sure <= 12
    code = "```py\n" + "value = compute(argument)\n" * 300
    for end in range(100, len(code), 97):
        (piece,) = split(code[:end], 10_000)
        assert piece.end - piece.sure <= 55


def test_boundaries_at_the_ends_of_a_text_are_boundaries() -> None:
    assert boundary("\u0301", 0)
    assert boundary("a\u0301", 2)
    assert not boundary("a\u0301", 1)
    assert not boundary("\r\n", 1)


@pytest.mark.parametrize(
    "unit",
    [
        "word and `code` here. ",
        "a",
        "\n",
        "`",
        "a\n",
        "中文。",
        "```py\ncode\n```\n",
        "| - ",
        "~~~\n",
        "e\u0301",
        "🇫",
        "`a ",
    ],
)
def test_a_megabyte_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = "x" + unit * (size // len(unit)) + "x"
        begun = time.process_time()
        assert unsplit(split(text, 2000)) == text
        return time.process_time() - begun

    assert seconds(200_000) < 2.0
