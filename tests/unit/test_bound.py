"""The bound of a call: never below what a model bills for it, whatever it is made of."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bots.playground.mistral import bill
from core.budgets.bound import Bound, bound, prompt_bound
from core.chat import ChatMessage, ChatRequest, DocumentPart, ImagePart, JsonSchema, TextPart, Tool, ToolCall, Usage
from core.errors import UnknownModel
from core.mistral.catalogue import Catalogue
from core.mistral.models import Model, Price
from core.mistral.providers.home import Home
from core.mistral.wire import build_body

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CATALOGUE = Catalogue.load()
LARGE = CATALOGUE.models["mistral-large-2512"]
MISTRAL = Home("mistral", "http://127.0.0.1")
TEXT = st.text(max_size=200)
TOOLS = (Tool("look", "Looks “something” up, né?", {"type": "object", "properties": {"what": {"type": "string"}}}),)


def priced(*prices: Price) -> Model:
    return Model("m", "current", 32_000, prices=prices)


def ask(*messages: ChatMessage, max_tokens: int = 256, **more: object) -> ChatRequest:
    return replace(ChatRequest("mistral-large-2512", messages, max_tokens), **more)  # type: ignore[arg-type]


def user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


def billed(request: ChatRequest, model: Model = LARGE) -> int:
    """Tokens of the prompt as the scripted model counts them."""
    return bill.prompt_tokens(json.loads(build_body(request, model=model)), model)


def picture(width: int, height: int) -> ImagePart:
    data = BytesIO()
    Image.new("RGB", (width, height)).save(data, "PNG")
    return ImagePart(data.getvalue(), "image/png", width, height)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[ChatMessage, ...]:
    """A system prompt, and turns with rounds of tool calls in any of them."""
    said = [ChatMessage("system", draw(TEXT)), user(draw(TEXT) or "?")]
    for number in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            call = ToolCall(f"call{number:05d}", draw(TEXT), draw(TEXT))
            said += [
                ChatMessage("assistant", draw(TEXT), tool_calls=(call,)),
                ChatMessage("tool", draw(TEXT), tool_call_id=call.id, name=call.name),
            ]
        else:
            said.append(ChatMessage("assistant", draw(TEXT)))
        if draw(st.booleans()):
            said.append(user(draw(TEXT)))
    return (*said, user("?"))


@given(conversations(), st.booleans(), st.integers(1, 5000))
def test_no_prompt_has_more_tokens_than_its_bound(said: tuple[ChatMessage, ...], offered: bool, longest: int) -> None:
    request = ask(*said, max_tokens=longest, tools=TOOLS if offered else ())
    found = bound(LARGE, MISTRAL, request, NOW)
    assert billed(request) <= found.prompt_tokens
    worst = Usage(found.prompt_tokens, longest)
    assert LARGE.cost(worst, NOW.date()) == found.microusd


@given(TEXT)
def test_a_text_has_at_most_as_many_tokens_as_bytes(text: str) -> None:
    size = len(text.encode("utf-8", "replace"))
    assert prompt_bound(LARGE, ask(user(text))) - prompt_bound(LARGE, ask(user(""))) == size


@given(st.text('"\\\n\x00,:é中🙂a', max_size=100))
def test_what_tools_say_is_bounded_as_json_which_escapes_it(text: str) -> None:
    result = ChatMessage("tool", text, tool_call_id="call00000", name="look")
    empty = replace(result, content="")
    wider = prompt_bound(LARGE, ask(result)) - prompt_bound(LARGE, ask(empty))
    assert wider >= len(json.dumps(text, ensure_ascii=False).encode()) - 2
    listed = json.dumps([1] * 50, separators=(",", ":"))
    wanted = ChatMessage("assistant", "", tool_calls=(ToolCall("call00000", "look", f'{{"of":{listed}}}'),))
    rewritten = json.dumps({"of": json.loads(listed)})
    assert prompt_bound(LARGE, ask(wanted)) >= len(rewritten)


def test_arguments_that_are_no_json_are_bounded_as_they_are_sent() -> None:
    call = ToolCall("call00000", "look", "中" * 300)
    request = ask(
        user("?"), ChatMessage("assistant", "", tool_calls=(call,)), ChatMessage("tool", "", tool_call_id="call00000")
    )
    assert len(build_body(request)) > 6 * 300
    assert prompt_bound(LARGE, request) > 6 * 300


@pytest.mark.parametrize(
    "model", [model for model in CATALOGUE.models.values() if model.vision], ids=lambda one: one.id
)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1024, 768), (1540, 1540), (1541, 1539), (30, 2000)])
def test_no_image_has_more_tokens_than_its_bound(model: Model, width: int, height: int) -> None:
    said = ChatMessage("user", (TextPart("What is this?"), picture(width, height)))
    request = replace(ask(said), model=model.id)
    assert billed(request, model) <= prompt_bound(model, request)


def test_an_image_is_held_at_the_largest_grid_where_a_models_own_is_unknown() -> None:
    said = ask(ChatMessage("user", (picture(8, 8),)))
    unknown = prompt_bound(Model("m", "current", 32_000, vision=True), said)
    assert unknown >= max(prompt_bound(model, said) for model in CATALOGUE.models.values() if model.vision)


def test_a_document_may_fill_the_whole_context() -> None:
    said = ask(ChatMessage("user", (DocumentPart("https://example.invalid/a.pdf"),)))
    assert prompt_bound(LARGE, said) >= LARGE.context


def test_what_else_makes_a_prompt_longer_is_counted() -> None:
    plain = prompt_bound(LARGE, ask(user("?")))
    schema = JsonSchema("answer", {"type": "object", "description": "x" * 400})
    assert prompt_bound(LARGE, ask(user("?"), response_format=schema)) >= plain + 400
    assert prompt_bound(LARGE, ask(user("?"), prediction="y" * 300)) >= plain + 300
    assert prompt_bound(LARGE, ask(user("?"), safe_prompt=True)) >= plain + 282, "the words of Mistral's own"
    assert prompt_bound(LARGE, ask(user("?"), tools=TOOLS)) >= plain + len(json.dumps(TOOLS[0].parameters))


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_around_a_change_of_price_the_dearer_one_is_held(days: int) -> None:
    change = date(2026, 12, 1)
    dear, cheap = Price(date(2026, 1, 1), 9_000_000, 9_000_000, 900_000), Price(change, 1_000_000, 1_000_000, 100_000)
    now = datetime(2026, 12, 1, 12, tzinfo=UTC) + timedelta(days=days)
    request = ask(user("?" * 100), max_tokens=1000)
    falling, rising = priced(dear, cheap), priced(replace(cheap, since=dear.since), replace(dear, since=change))
    whole = bound(priced(dear), MISTRAL, request, now)
    assert (bound(falling, MISTRAL, request, now) == whole) == (days < 1)
    assert bound(rising, MISTRAL, request, now) == whole


def test_far_from_a_change_of_price_the_price_of_the_day_is_held() -> None:
    dear, cheap = Price(date(2026, 1, 1), 9_000_000, 9_000_000, 9), Price(date(2026, 12, 1), 1_000_000, 1_000_000, 9)
    request = ask(user("?"))
    later = NOW + timedelta(days=10)
    assert bound(priced(dear, cheap), MISTRAL, request, later) == bound(priced(cheap), MISTRAL, request, later)


def test_a_price_of_cached_input_above_that_of_fresh_is_held() -> None:
    odd = priced(Price(date(2026, 1, 1), 100, 100, 5_000_000))
    found = bound(odd, MISTRAL, ask(user("?" * 1000)), NOW)
    cached = Usage(found.prompt_tokens, 256, found.prompt_tokens)
    assert odd.cost(cached, NOW.date()) <= found.microusd


@given(
    st.integers(1, 100_000), st.integers(1, 30), st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 9999)
)
def test_no_usage_within_it_costs_more_at_a_home_with_a_factor(
    price: int, tenths: int, prompt: int, completion: int, cached: int
) -> None:
    model = priced(Price(date(2026, 1, 1), price, 3 * price, price // 10))
    home = Home("there", "http://127.0.0.1", price_tenths=tenths)
    found = bound(model, home, ask(user("?" * prompt), max_tokens=max(completion, 1)), NOW)
    usage = Usage(min(prompt, found.prompt_tokens), completion, min(cached, prompt))
    assert model.cost(usage, NOW.date(), price_tenths=tenths) <= found.microusd


def test_several_answers_to_one_prompt_are_all_held() -> None:
    one, three = (bound(LARGE, MISTRAL, ask(user("?"), n=n, max_tokens=1_000_000), NOW) for n in (1, 3))
    assert three.microusd - one.microusd == 2 * LARGE.price(NOW.date()).output_microusd


def test_what_costs_nothing_is_held_at_nothing_and_what_has_no_price_is_not_called() -> None:
    free = Home("mine", "http://127.0.0.1", priced=False)
    request = ask(user("?"))
    assert bound(priced(), free, request, NOW) == Bound(prompt_bound(LARGE, request), 256, 0)
    with pytest.raises(UnknownModel):
        bound(priced(), MISTRAL, request, NOW)
