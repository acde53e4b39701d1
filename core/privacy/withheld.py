"""What is withheld from the model: lines of a history and tools' results without the secrets in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.chat import ChatMessage
from core.messages import Notice
from core.privacy import secrets
from core.privacy.secrets import Handling, Kind
from core.store.conversations import Line, StoredAttachment


@dataclass(frozen=True, slots=True)
class Withheld:
    """The lines as the model may see them. `notice`: what the asker must know; `refused`: that the model is not asked.

    The lines are new ones where something was left out of them; what is stored stays.
    """

    lines: list[Line]
    notice: Notice | None = None
    refused: bool = False


def withhold(lines: list[Line], handling: Handling) -> Withheld:
    """Takes the secrets out of a history whose last line is the question.

    Told is what came after the newest answer, once; older secrets were told of when they came. Refused is a question
    that has secrets itself: what others wrote around it, or what was refused before, only loses them.
    """
    if handling == "off":
        return Withheld(lines)
    masked = [_without(line) for line in lines]
    shown = [line for line, _ in masked]
    own = masked[-1][1]
    if own and handling == "refuse":
        return Withheld(shown, Notice("secrets_refused", _kinds(own)), refused=True)
    told: list[Kind] = []
    for line, kinds in reversed(masked):
        if line.author is None:
            break
        told[:0] = kinds
    return Withheld(shown, Notice("secrets_left_out", _kinds(told)) if told else None)


def concealing(handling: Handling) -> Callable[[str], str]:
    """What takes the secrets out of one text of a workspace, without a word."""
    return str if handling == "off" else _concealed


def results(messages: Sequence[ChatMessage], handling: Handling) -> tuple[ChatMessage, ...]:
    """Tools' results as the model may see them."""
    conceal = concealing(handling)
    return tuple(
        replace(one, content=conceal(one.content)) if isinstance(one.content, str) else one for one in messages
    )


def _without(line: Line) -> tuple[Line, tuple[Kind, ...]]:
    """The line without its secrets, also in the names of its files, and their kinds; itself where it has none."""
    text = secrets.mask(line.text)
    files = tuple(_renamed(file) for file in line.attachments)
    if not text.kinds and files == line.attachments:
        return line, ()
    return replace(line, text=text.text, attachments=files), text.kinds


def _renamed(file: StoredAttachment) -> StoredAttachment:
    name = _concealed(file.file.name)
    page = file.page and replace(file.page, name=_concealed(file.page.name))
    return file if name == file.file.name else replace(file, file=replace(file.file, name=name), page=page)


def _concealed(text: str) -> str:
    return secrets.mask(text).text


def _kinds(kinds: Sequence[Kind]) -> dict[str, str | int]:
    return {"kinds": ",".join(dict.fromkeys(kinds))}
