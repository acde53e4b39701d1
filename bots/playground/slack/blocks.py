"""Block Kit: what Slack refuses, and what a person sees of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]

BLOCKS_MAX = 50
MARKDOWN_MAX = 12_000
MESSAGE_MAX = 13_200
TEXT_LIMITS = {"section": 3000, "header": 150, "markdown": MARKDOWN_MAX}
KINDS = frozenset(
    {
        "actions",
        "alert",
        "call",
        "card",
        "carousel",
        "context",
        "context_actions",
        "divider",
        "file",
        "header",
        "image",
        "input",
        "markdown",
        "plan",
        "rich_text",
        "section",
        "table",
        "task_card",
        "video",
    }
)


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press. `element`: the element's JSON, as the interaction sends it back."""

    action_id: str
    value: str | None
    label: str
    style: str | None
    block_id: str
    element: Block


def faults(blocks: Sequence[Any]) -> list[str]:
    """Why Slack would answer `invalid_blocks`, one line each; empty for good blocks."""
    found = [] if len(blocks) <= BLOCKS_MAX else [f"no more than {BLOCKS_MAX} items allowed [json-pointer:/blocks]"]
    for place, block in enumerate(blocks):
        if not isinstance(block, dict) or block.get("type") not in KINDS:
            found.append(f"unsupported type [json-pointer:/blocks/{place}/type]")
        else:
            found.extend(f"{fault} [json-pointer:/blocks/{place}]" for fault in _faults_of(block))
    return found


def length(blocks: Iterable[Block]) -> int:
    """Characters of all texts in the blocks together."""
    return sum(len(_text(block)) for block in blocks)


def words(blocks: Iterable[Block]) -> str:
    """The texts of section, markdown and header blocks, one under the other."""
    return "\n".join(text for block in blocks if block.get("type") in TEXT_LIMITS and (text := _text(block)))


def notes(blocks: Iterable[Block]) -> tuple[str, ...]:
    elements = (element for block in blocks if block.get("type") == "context" for element in _elements(block))
    return tuple(str(element["text"]) for element in elements if "text" in element)


def buttons(blocks: Iterable[Block]) -> tuple[Button, ...]:
    """Every button of actions, context_actions and section accessories, in reading order."""
    return tuple(
        button
        for place, block in enumerate(blocks)
        for element in _elements(block)
        for button in _buttons_of(element, str(block.get("block_id") or f"b{place}"))
    )


def _buttons_of(element: Block, block_id: str) -> Iterator[Button]:
    action_id = str(element.get("action_id", ""))
    if element.get("type") in ("button", "icon_button"):
        yield Button(action_id, element.get("value"), _text(element), element.get("style"), block_id, element)
    elif element.get("type") == "feedback_buttons":
        for side in ("positive_button", "negative_button"):
            half = element.get(side) or {}
            yield Button(action_id, half.get("value"), _text(half), None, block_id, element)


def _faults_of(block: Block) -> Iterator[str]:
    kind = block["type"]
    if kind in TEXT_LIMITS:
        text = _text(block)
        if not text and not (kind == "section" and block.get("fields")):
            yield "must have text"
        elif len(text) > TEXT_LIMITS[kind]:
            yield f"must be less than {TEXT_LIMITS[kind] + 1} characters"
        if kind != "markdown" and "text" in block and not isinstance(block["text"], dict):
            yield "text must be an object"
    if kind in ("actions", "context_actions", "context"):
        elements = block.get("elements")
        most = {"actions": 25, "context": 10}.get(kind, 5)
        if not isinstance(elements, list) or not 1 <= len(elements) <= most:
            yield f"must have 1 to {most} elements"
    seen: set[str] = set()
    for element in _elements(block):
        yield from _faults_of_element(element, seen)


def _faults_of_element(element: Block, seen: set[str]) -> Iterator[str]:
    action_id = element.get("action_id")
    if isinstance(action_id, str):
        if action_id in seen:
            yield f"action_id {action_id} already exists"
        seen.add(action_id)
        if len(action_id) > 255:
            yield "action_id must be less than 256 characters"
    if element.get("type") == "button":
        if not 1 <= len(_text(element)) <= 75:
            yield "button text must have 1 to 75 characters"
        if len(str(element.get("value", ""))) > 2000:
            yield "button value must be less than 2001 characters"


def _elements(block: Block) -> list[Block]:
    elements = block.get("elements")
    if block.get("type") == "section" and isinstance(block.get("accessory"), dict):
        return [block["accessory"]]
    return [element for element in elements if isinstance(element, dict)] if isinstance(elements, list) else []


def _text(block: Block) -> str:
    text = block.get("text", "")
    return str(text.get("text", "")) if isinstance(text, dict) else str(text or "")
