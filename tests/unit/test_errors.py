"""The tree drawn at the top of `core/errors.py` is the tree of the code."""

from __future__ import annotations

import inspect
import re

import pytest

from core import errors
from core.errors import AttachmentError, BiseError, ModelError, PlatformError

_BRANCH = re.compile(r"^(?P<indent>[│├└─ ]*)(?P<name>[A-Z][A-Za-z]+)\b")


def drawn() -> dict[str, str | None]:
    """Every class of the drawing with the one that it hangs on."""
    parents: dict[str, str | None] = {}
    line_of_parents: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = _BRANCH.match(line)
        if match is None or " " in line.split("  ")[0].strip("│├└─ "):
            continue
        depth = len(match["indent"])
        while line_of_parents and line_of_parents[-1][0] >= depth:
            line_of_parents.pop()
        parents[match["name"]] = line_of_parents[-1][1] if line_of_parents else None
        line_of_parents.append((depth, match["name"]))
    return parents


def written() -> dict[str, str | None]:
    """Every class of the module with its base."""
    return {
        name: kind.__base__.__name__ if kind is not BiseError and kind.__base__ else None
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, BiseError) and kind.__module__ == errors.__name__
    }


def classes() -> list[type[BiseError]]:
    return [getattr(errors, name) for name in written()]


def test_the_tree_that_is_drawn_is_the_tree_that_is_written() -> None:
    assert drawn() == written()


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_reason_of_its_own(kind: type[BiseError]) -> None:
    if issubclass(kind, errors.ModelTimeout):
        assert kind.reason == "model_timeout", "people need not know where time ran out"
        return
    assert "reason" in vars(kind)
    assert [other.__name__ for other in classes() if other.reason == kind.reason] == [kind.__name__]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.reason)


@pytest.mark.parametrize("kind", [kind for kind in classes() if issubclass(kind, ModelError)], ids=lambda k: k.__name__)
def test_a_model_error_keeps_what_the_provider_told(kind: type[ModelError]) -> None:
    error = kind("words", status=429, code="1300", retry_after=2.5, correlation_id="abc")
    assert (error.status, error.code, error.retry_after, error.correlation_id) == (429, "1300", 2.5, "abc")
    assert str(error) == "words"
    assert str(kind()) == kind.reason


def test_an_answer_that_had_begun_is_never_taken_for_free() -> None:
    began = (errors.StreamCut, errors.SilenceTimeout, errors.FirstByteTimeout, errors.ModelServerError)
    refused = (errors.ModelUnauthorized, errors.ModelRateLimited, errors.ConnectTimeout, errors.UnknownModel)
    assert not any(kind.unbilled for kind in began)
    assert all(kind.unbilled for kind in refused)


def test_a_platform_error_keeps_the_platforms_own_word() -> None:
    assert PlatformError("gone", code="channel_not_found").code == "channel_not_found"
    assert str(errors.PlaceGone()) == "place_gone"


def test_an_attachment_error_has_one_of_the_known_kinds() -> None:
    error = AttachmentError("corrupt", "cat.png")
    assert (error.kind, error.name) == ("corrupt", "cat.png")
    with pytest.raises(ValueError, match="unknown kind"):
        AttachmentError("ugly")
