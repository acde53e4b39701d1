"""What the model is shown: pure. Oldest first, with authors' names, trimmed in big steps, never assistant first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.chat import ChatMessage, ImagePart, Part, TextPart
from core.store.conversations import Line, StoredAttachment

IMAGES_SHOWN = 8  # Mistral's own limit for one request
_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class History:
    """Messages for the model. `first_seq`: where the shown history begins; `images`: how many it shows."""

    messages: tuple[ChatMessage, ...]
    first_seq: int
    images: int


def trim(sizes: Sequence[int], limit: int) -> int:
    """Where to begin so that the sizes fit: 0 while all fit in `limit`, else as late as half of it needs.

    The step is big so that the prompt's beginning stays the same for many turns and the provider's cache is hit.
    The last entry, the question, always stays.
    """
    if sum(sizes) <= limit:
        return 0
    kept = 0
    for index in range(len(sizes) - 1, -1, -1):
        kept += sizes[index]
        if kept > limit // 2:
            return min(index + 1, len(sizes) - 1)
    return 0


def build(
    lines: Sequence[Line],
    *,
    system: str,
    named: bool,
    images: Mapping[int, ImagePart],
    limit: int,
    size: Callable[[str], int],
    image_size: Callable[[ImagePart], int],
) -> History:
    """The prompt for the last of `lines`.

    `named`: several people can be present, so each line says who wrote. `images`: by attachment, those that the model
    can be shown; the newest eight are. `limit`: tokens, as `size` and `image_size` estimate them.
    """
    shown = set(_newest(lines, images))
    sizes = [
        size(_text(line, named, shown))
        + sum(image_size(images[file.id]) for file in line.attachments if file.id in shown)
        for line in lines
    ]
    kept = list(lines[trim(sizes, limit) :])
    while len(kept) > 1 and kept[0].author is None:
        kept.pop(0)
    shown &= {file.id for line in kept for file in line.attachments}
    messages = [ChatMessage("system", system), *_merged(kept, named, shown, images)]
    return History(tuple(messages), kept[0].seq if kept else 0, len(shown))


def _newest(lines: Sequence[Line], images: Mapping[int, ImagePart]) -> list[int]:
    found = [file.id for line in lines for file in line.attachments if file.id in images]
    return found[-IMAGES_SHOWN:]


def _merged(lines: Sequence[Line], named: bool, shown: set[int], images: Mapping[int, ImagePart]) -> list[ChatMessage]:
    """People's messages in a row are one message of the prompt: providers want roles to take turns."""
    messages: list[ChatMessage] = []
    texts: list[str] = []
    parts: list[Part] = []

    def close() -> None:
        if texts or parts:
            text = "\n\n".join(texts)
            messages.append(ChatMessage("user", (TextPart(text), *parts) if parts else text))
            texts.clear()
            parts.clear()

    for line in lines:
        if line.author is None:
            close()
            messages.append(ChatMessage("assistant", line.text))
        else:
            texts.append(_text(line, named, shown))
            parts.extend(images[file.id] for file in line.attachments if file.id in shown)
    close()
    return messages


def _text(line: Line, named: bool, shown: set[int]) -> str:
    if line.author is None:
        return line.text
    notes = [note for file in line.attachments for note in _notes(file, shown)]
    text = "\n".join(part for part in (line.text, *notes) if part)
    return f"{_name(line.author)}: {text}" if named else text


def _notes(file: StoredAttachment, shown: set[int]) -> Iterator[str]:
    """What the images alone do not tell: how much of a document they are, and which of them are missing."""
    page = file.page
    if page is not None and page.number == 1 and page.read < page.pages:
        yield f"[document {_short(page.name)}, pages 1 to {page.read} of {page.pages}]"
    if file.state == "refused":
        yield f"[file {_short(file.file.name)}, could not be read]"
    elif file.id not in shown:
        yield f"[image {_short(file.file.name)}, not shown]"


def _short(name: str) -> str:
    return " ".join(name.split())[:_NAME_LENGTH]


def _name(author: str) -> str:
    return " ".join(author.replace(":", " ").split())[:_NAME_LENGTH] or "someone"
