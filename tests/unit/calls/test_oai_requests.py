"""Which client events of the Realtime API a peer may send, and what they mean."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends import contract as ai
from gateway.calls.oai_requests import (
    MAX_EVENT_BYTES,
    Key,
    RefusedEventError,
    Silence,
    Wish,
    parse_request,
)


def wish(event: dict[str, Any]) -> Wish:
    return parse_request(json.dumps(event), "item_new").wish


def message(*texts: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text} for text in texts]
    item = {"type": "message", "role": "user", "content": content} | more
    return {"type": "conversation.item.create", "item": item}


@pytest.mark.parametrize(
    ("event", "means"),
    [
        ({"type": "response.create"}, ai.WantAnswer()),
        ({"type": "response.create", "response": {"output_modalities": ["audio"]}}, ai.WantAnswer()),
        ({"type": "response.create", "response": {"instructions": "Be brief."}}, ai.WantAnswer("Be brief.")),
        ({"type": "response.cancel", "response_id": "r1"}, Silence(cancel=True)),
        ({"type": "output_audio_buffer.clear"}, Silence(cancel=False)),
        ({"type": "input_audio_buffer.clear", "event_id": "e"}, ai.ForgetInput()),
        (
            {"type": "session.update", "session": {"type": "realtime", "instructions": "Rhyme."}},
            ai.Instructions("Rhyme."),
        ),
        ({"type": "gateway.dtmf", "digit": "#"}, Key("#")),
        (message("hello"), ai.UserText("item_new", "hello")),
        (message("a", "b", id="mine"), ai.UserText("mine", "a\nb")),
    ],
)
def test_what_a_peer_may_ask_for(event: dict[str, Any], means: Wish) -> None:
    assert wish(event) == means


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        (
            {"type": "session.update", "session": {"instructions": "x", "tools": []}},
            "invalid_event",
            "session",
        ),
        ({"type": "session.update", "session": {"type": "realtime"}}, "invalid_event", "session"),
        ({"type": "session.update", "session": {"instructions": "x" * 16_001}}, "invalid_event", "session."),
        ({"type": "response.create", "response": {"tools": []}}, "invalid_event", "response"),
        (message("x", role="system"), "invalid_event", "item.role"),
        (message("x" * 4001), "invalid_event", "item.content"),
        (message("x" * 3000, "y" * 3000), "invalid_event", "item.content"),
        (message(), "invalid_event", "item.content"),
        (
            {"type": "conversation.item.create", "item": {"type": "function_call_output"}},
            "invalid_event",
            "item",
        ),
        ({"type": "gateway.dtmf", "digit": "12"}, "invalid_event", "digit"),
        ({"type": "gateway.dtmf", "digit": "1\n"}, "invalid_event", "digit"),
        ({"type": "gateway.dtmf", "digit": "E"}, "invalid_event", "digit"),
        ({"type": "conversation.item.delete", "item_id": "x"}, "event_not_allowed", "type"),
        ({"type": "input_audio_buffer.append", "audio": ""}, "event_not_allowed", "type"),
        ({}, "event_not_allowed", "type"),
    ],
)
def test_what_is_refused_and_where(event: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(RefusedEventError) as caught:
        wish(event | {"event_id": "mine"})
    assert caught.value.code == code
    assert caught.value.param.startswith(param)
    assert caught.value.event_id == "mine"


@pytest.mark.parametrize("text", ["", "hello", "[]", "3", '{"type": 5}', '{"a":' * 3000, "\ud800"])
def test_what_is_no_event(text: str) -> None:
    with pytest.raises(RefusedEventError):
        parse_request(text, "i")


def test_a_huge_message_is_not_read() -> None:
    with pytest.raises(RefusedEventError) as caught:
        parse_request(json.dumps({"type": "response.create", "pad": "€" * (MAX_EVENT_BYTES // 3 + 1)}), "i")
    assert caught.value.code == "event_too_large"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_TYPES = st.sampled_from(["session.update", "response.create", "conversation.item.create", "response.cancel"])


@given(_TYPES, st.dictionaries(st.sampled_from(["session", "item", "response", "event_id", "x"]), _JSON))
def test_nothing_else_is_ever_raised(type_: str, rest: dict[str, Any]) -> None:
    with contextlib.suppress(RefusedEventError):
        assert wish(rest | {"type": type_}) is not None
