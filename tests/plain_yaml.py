"""The YAML that this project's own files are written in; whatever else YAML has is refused, not guessed.

Maps and lists by indent, plain and quoted scalars, `[…]` of scalars, `{}`, `&name` and `<<: *name`, and several
documents in a file. It spares the tests a dependency, and the files the surprises of the rest.
"""

from __future__ import annotations

import re
from typing import Any

_ENTRY = re.compile(r'("[^"]*"|[^\s"\'\[\]{}&*!|>%@`,#:][^\s]*?):(?: +(.*))?')
_REFUSED = tuple("&*!|>%@`{}[],?")
_WORDS = {"true": True, "false": False, "null": None, "~": None}


def documents(text: str) -> list[Any]:
    """Each document of a file. Raises ValueError on anything that is not understood whole."""
    return [_Reader(part).read() for part in re.split(r"^---$", text, flags=re.MULTILINE) if _lines(part)]


def document(text: str) -> Any:
    """The only document of a file. Raises ValueError."""
    [only] = documents(text)
    return only


def _lines(text: str) -> list[tuple[int, str]]:
    """Indent and content of each line that is not empty and not a remark."""
    found = []
    for line in text.splitlines():
        content = line.strip()
        if "\t" in line or line != line.rstrip():
            raise ValueError(f"a tab, or a space at the end: {line!r}")
        if content and not content.startswith("#"):
            found.append((len(line) - len(content), content))
    return found


class _Reader:
    """One document, read from its top."""

    def __init__(self, text: str) -> None:
        self._lines = _lines(text)
        self._at = 0
        self._named: dict[str, Any] = {}

    def read(self) -> Any:
        found = self._block(0)
        if self._at < len(self._lines):
            raise ValueError(f"an indent that belongs to nothing: {self._lines[self._at][1]!r}")
        return found

    def _block(self, indent: int) -> Any:
        return self._list(indent) if self._lines[self._at][1].startswith("- ") else self._map(indent)

    def _list(self, indent: int) -> list[Any]:
        found = []
        while self._here(indent) and self._lines[self._at][1].startswith("- "):
            item = self._lines[self._at][1][2:]
            if _ENTRY.fullmatch(item) and not item.startswith('"'):
                self._lines[self._at] = (indent + 2, item)
                found.append(self._map(indent + 2))
            else:
                self._at += 1
                found.append(_scalar(item))
        return found

    def _map(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while self._here(indent):
            entry = _ENTRY.fullmatch(self._lines[self._at][1])
            if entry is None:
                raise ValueError(f"neither a name nor an item: {self._lines[self._at][1]!r}")
            name, value = entry[1].strip('"'), entry[2] or ""
            self._at += 1
            if name == "<<":
                merged |= self._named[value.removeprefix("*")]
                continue
            if name in found:
                raise ValueError(f"twice: {name}")
            found[name] = self._value(value, indent)
        return merged | found

    def _value(self, value: str, indent: int) -> Any:
        if value.startswith("&"):
            self._named[value[1:]] = found = self._value("", indent)
            return found
        if value.startswith("*"):
            return self._named[value[1:]]
        if value:
            return _scalar(value)
        if self._at == len(self._lines) or self._lines[self._at][0] <= indent:
            return None
        return self._block(self._lines[self._at][0])

    def _here(self, indent: int) -> bool:
        if self._at == len(self._lines) or self._lines[self._at][0] < indent:
            return False
        if self._lines[self._at][0] > indent:
            raise ValueError(f"an indent that belongs to nothing: {self._lines[self._at][1]!r}")
        return True


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text == "{}":
        return {}
    if text[0] in "\"'":
        if len(text) < 2 or text[-1] != text[0] or text[0] in text[1:-1] or "\\" in text:
            raise ValueError(f"a quoted value that is not plain: {text!r}")
        return text[1:-1]
    if text.startswith("[") and text.endswith("]"):
        parts = re.findall(r'"[^"]*"|[^\s,"][^,"]*', text[1:-1])
        if re.sub(r"[\s,]", "", "".join(parts)) != re.sub(r"[\s,]", "", text[1:-1]):
            raise ValueError(f"a list that is not plain: {text!r}")
        return [_scalar(part.strip()) for part in parts]
    if text.startswith(_REFUSED) or " #" in text or ": " in text or text.lower() in ("yes", "no", "on", "off"):
        raise ValueError(f"a value that YAML may read in more than one way: {text!r}")
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d*)", text) else text
