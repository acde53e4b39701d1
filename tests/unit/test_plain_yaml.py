"""The reader of our own YAML understands a file whole or not at all."""

from __future__ import annotations

import pytest

from tests.plain_yaml import document, documents


def test_a_plain_file_is_read() -> None:
    text = """
# a remark
base: &base
  name: one
  parts: [a, "b c"]
again:
  <<: *base
  name: "two"
list:
  - plain
  - key: 1
    other: true
  - http://127.0.0.1:8080/
nothing:
empty: {}
"""
    assert document(text) == {
        "base": {"name": "one", "parts": ["a", "b c"]},
        "again": {"name": "two", "parts": ["a", "b c"]},
        "list": ["plain", {"key": 1, "other": True}, "http://127.0.0.1:8080/"],
        "nothing": None,
        "empty": {},
    }
    assert documents("a: 1\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    "text",
    [
        "a: no",
        "a: 1 # remark",
        "a: b: c",
        "a: |\n  text",
        "a: {b: c}",
        "a: *unknown",
        "a: 1\na: 2",
        "a: 1\n  b: 2",
        "a:\n    b: 1\n  c: 2",
        "a: 'it''s'",
        "a:\t1",
        "just words",
    ],
)
def test_what_could_be_read_in_more_than_one_way_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        document(text)
