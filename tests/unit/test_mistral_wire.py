from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bots.playground.mistral import rules
from core.chat import (
    ChatMessage,
    ChatRequest,
    DocumentPart,
    ImagePart,
    JsonMode,
    JsonSchema,
    NamedTool,
    ReasoningEffort,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCall,
)
from core.errors import RequestRejected, SettingsError
from core.mistral.models import Model
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


EVERYTHING = ChatRequest(
    "mistral-medium-3-5",
    (
        ChatMessage("user", (TextPart("Read."), DocumentPart("https://h/d.pdf", "d.pdf"), DocumentPart(b"%PDF"))),
        ChatMessage("assistant", (ThinkingPart("hm"),), (ToolCall("call_1", "add it", "not JSON"),)),
        ChatMessage("tool", "3", tool_call_id="call_1"),
    ),
    max_tokens=100,
    temperature=0.5,
    top_p=0.9,
    prompt_cache_key="k",
    stop=("END",),
    random_seed=7,
    response_format=JsonSchema("a", {"type": "object"}, strict=True),
    tools=(Tool("add", "Adds.", {"type": "object"}),),
    tool_choice="any",
    parallel_tool_calls=False,
    safe_prompt=True,
    reasoning_effort="medium",
    presence_penalty=0.5,
    frequency_penalty=-3,
    n=2,
    prediction="so",
)
MEDIUM = Model("mistral-medium-3-5", "current", 256_000, tools=True, reasoning=("none", "high"), output_limit=64)


def test_every_parameter_is_sent_to_mistral() -> None:
    built = body(EVERYTHING, model=MEDIUM, stream=False)
    assert rules.misfits(built) == []
    assert rules.refusal(built) is None
    messages = built.pop("messages")
    assert built == {
        "model": "mistral-medium-3-5",
        "max_tokens": 64,
        "stream": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "prompt_cache_key": "k",
        "stop": ["END"],
        "random_seed": 7,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [
            {
                "type": "function",
                "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
            }
        ],
        "tool_choice": "any",
        "parallel_tool_calls": False,
        "safe_prompt": True,
        "reasoning_effort": "high",
        "presence_penalty": 0.5,
        "frequency_penalty": -2,
        "n": 2,
        "prediction": {"type": "content", "content": "so"},
    }
    assert messages[0]["content"][1:] == [
        {"type": "document_url", "document_url": "https://h/d.pdf", "document_name": "d.pdf"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,JVBERg=="},
    ]
    assert messages[1]["content"] == [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    assert messages[1]["tool_calls"][0]["function"] == {
        "name": "add_it",
        "arguments": '{"invalid_arguments": "not JSON"}',
    }
    assert messages[2]["tool_call_id"] == messages[1]["tool_calls"][0]["id"]


def test_what_an_openai_server_does_not_take_is_mapped_or_left_out() -> None:
    built = body(EVERYTHING, kind="openai")
    assert built["tool_choice"] == "required"
    assert built["seed"] == 7
    assert not built.keys() & {"random_seed", "safe_prompt", "prompt_cache_key", "prediction", "n"}
    kinds = [[part["type"] for part in message["content"]] for message in built["messages"][:2]]
    assert kinds == [["text", "text", "text"], []]
    assert "d.pdf" in built["messages"][0]["content"][1]["text"]
    assert built["messages"][2].keys() == {"role", "content", "tool_call_id"}


def test_a_model_is_not_asked_what_it_cannot_do() -> None:
    plain = body(EVERYTHING, model=Model("m", "current", 1000, tools=False))
    assert not plain.keys() & {"reasoning_effort", "tools", "tool_choice", "parallel_tool_calls"}
    assert "reasoning_effort" not in body(EVERYTHING)  # nobody says that this model thinks
    assert body(EVERYTHING)["messages"][1]["content"] == []
    without = replace(EVERYTHING, tools=())
    assert not body(without).keys() & {"tools", "tool_choice", "parallel_tool_calls"}


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [("none", "none"), ("minimal", "none"), ("low", "none"), ("medium", "high"), ("high", "high"), ("xhigh", "high")],
)
def test_an_effort_is_the_nearest_that_the_model_allows(wanted: ReasoningEffort, sent: str) -> None:
    assert body(replace(EVERYTHING, reasoning_effort=wanted), model=MEDIUM)["reasoning_effort"] == sent


def test_greedy_sampling_takes_the_whole_of_top_p() -> None:
    assert body(replace(EVERYTHING, temperature=0, top_p=None))["top_p"] == 1
    assert body(replace(EVERYTHING, temperature=-1))["temperature"] == 0
    assert body(replace(EVERYTHING, temperature=1.8))["temperature"] == 1.5
    assert body(replace(EVERYTHING, temperature=1.8), kind="openai")["temperature"] == 1.8
    assert "top_p" not in body(replace(EVERYTHING, top_p=0.0))


def test_json_mode_and_a_named_tool_are_objects() -> None:
    built = body(replace(EVERYTHING, response_format=JsonMode(), tool_choice=NamedTool("add")))
    assert built["response_format"] == {"type": "json_object"}
    assert built["tool_choice"] == {"type": "function", "function": {"name": "add"}}


def test_more_than_128_tools_are_never_sent() -> None:
    assert len(body(replace(EVERYTHING, tools=EVERYTHING.tools * 128))["tools"]) == 128
    with pytest.raises(RequestRejected) as caught:
        body(replace(EVERYTHING, tools=EVERYTHING.tools * 129))
    assert caught.value.unbilled


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
