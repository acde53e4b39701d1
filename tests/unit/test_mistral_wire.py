from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.chat import ChatMessage, ChatRequest, ImagePart, TextPart
from core.errors import SettingsError
from core.mistral.providers.home import Home
from core.mistral.wire import ModelCard, build_body, model_cards

IMAGE = ImagePart(b"\x89PNG", "image/png", 2, 2)
REQUEST = ChatRequest(
    "mistral-large-2512",
    (ChatMessage("system", "Be kind."), ChatMessage("user", (TextPart("What is this?"), IMAGE))),
    max_tokens=100,
    temperature=0.0,
    top_p=0.5,
    prompt_cache_key="conversation-1",
)


def body(request: ChatRequest = REQUEST, **how: Any) -> dict[str, Any]:
    built: dict[str, Any] = json.loads(build_body(request, **how))
    return built


def test_a_body_for_mistral_has_only_what_mistral_takes() -> None:
    built = body()
    assert built == {
        "model": "mistral-large-2512",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": "data:image/png;base64,iVBORw=="},
                ],
            },
        ],
        "max_tokens": 100,
        "stream": True,
        "temperature": 0.0,
        "top_p": 1,
        "prompt_cache_key": "conversation-1",
    }


def test_a_body_for_an_openai_server_asks_for_usage_and_names_no_cache() -> None:
    built = body(kind="openai")
    assert built["stream_options"] == {"include_usage": True}
    assert "prompt_cache_key" not in built
    assert built["messages"][1]["content"][1]["image_url"] == {"url": "data:image/png;base64,iVBORw=="}
    assert "stream_options" not in body(kind="openai", stream=False)


def test_what_was_not_asked_for_is_not_sent() -> None:
    built = body(ChatRequest("m", (ChatMessage("user", "a"),), max_tokens=5), stream=False)
    assert built == {"model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 5, "stream": False}


def test_half_an_emoji_in_a_prompt_does_not_stop_the_call() -> None:
    built = body(ChatRequest("m", (ChatMessage("user", "a\ud83d b\ud83d\ude00"),), max_tokens=5))
    assert built["messages"][0]["content"] == "a\ufffd b😀"


def test_model_cards_are_read_with_tolerance() -> None:
    rows = [
        {
            "id": "a",
            "aliases": ["b", 3],
            "max_context_length": 5,
            "capabilities": {"vision": True, "function_calling": 0},
        },
        {"id": "c", "deprecation": "2026-05-31T00:00:00Z", "deprecation_replacement_model": "a", "capabilities": None},
        {"id": None},
        "d",
    ]
    assert model_cards({"data": rows}) == [
        ModelCard("a", ("b",), 5, vision=True),
        ModelCard("c", deprecation=datetime(2026, 5, 31, tzinfo=UTC), replacement="a"),
    ]
    assert model_cards({"data": None}) == []
    assert model_cards(3) == []


@pytest.mark.parametrize("base", ["http://h:1/m", "http://h:1/m/", "http://h:1/m/v1", "http://h:1/m/v1/"])
def test_a_base_may_have_its_version_or_not(base: str) -> None:
    assert Home.at(base).url("chat/completions") == "http://h:1/m/v1/chat/completions"


def test_regions_have_their_hosts_and_prices() -> None:
    assert Home.of_region("global", "k").price_tenths == 10
    assert Home.of_region("eu", "k").url("models") == "https://api.eu.mistral.ai/v1/models"
    assert Home.of_region("us", "k").price_tenths == 11


def test_a_server_of_ones_own_is_free_and_speaks_openai() -> None:
    home = Home.at("http://localhost:8000", self_hosted=True)
    assert (home.kind, home.priced, home.loopback) == ("openai", False, True)
    assert (Home.at("https://models.example").kind, Home.at("https://models.example").priced) == ("mistral", True)


def test_a_key_is_never_shown() -> None:
    assert "very-secret" not in repr(Home.at("https://models.example", "very-secret"))


@pytest.mark.parametrize(
    ("base", "key", "variable"),
    [
        ("models.example", "k", "MISTRAL_BASE_URL"),
        ("ftp://models.example", "k", "MISTRAL_BASE_URL"),
        ("https://", "k", "MISTRAL_BASE_URL"),
        ("https://h:port", "k", "MISTRAL_BASE_URL"),
        ("https://me:secret@h", "k", "MISTRAL_BASE_URL"),
        ("https://h?key=secret", "k", "MISTRAL_BASE_URL"),
        ("https://h", "secret key", "MISTRAL_API_KEY"),
        ("https://h", "secret\n", "MISTRAL_API_KEY"),
    ],
)
def test_a_wrong_base_or_key_is_one_line_that_names_the_variable(base: str, key: str, variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Home.at(base, key)
    assert str(caught.value).startswith(variable)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
