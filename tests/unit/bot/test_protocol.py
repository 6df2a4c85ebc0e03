"""Client events: what is understood, and which error anything else becomes."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bot import protocol as rt


def error_of(message: str | bytes) -> rt.ProtocolError:
    with pytest.raises(rt.ProtocolError) as caught:
        rt.decode(message)
    return caught.value


def test_audio_is_decoded_from_base64() -> None:
    audio = base64.b64encode(b"\x7f\xff" * 80).decode()
    event = rt.decode(json.dumps({"type": "input_audio_buffer.append", "audio": audio, "event_id": "e1"}))
    assert event == rt.AudioAppend(audio=b"\x7f\xff" * 80, event_id="e1")


def test_audio_is_encoded_to_base64() -> None:
    event = json.loads(rt.encode({"type": "response.output_audio.delta", "delta": b"\x00\xff"}))
    assert event["delta"] == "AP8="


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        (b"\xff\xfe", "invalid_json", None),
        ('{"type": "session.update", "session": ' + '{"a": ' * 5000, "invalid_json", None),
        ("[1]", "invalid_value", "type"),
        ('{"type": 5}', "invalid_value", "type"),
        ("{}", "missing_required_parameter", "type"),
        ('{"type": "no.such.event"}', "invalid_value", "type"),
        ('{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type": "input_audio_buffer.append", "audio": "%%%"}', "invalid_value", "audio"),
        ('{"type": "input_audio_buffer.append", "audio": 5}', "invalid_type", "audio"),
        ('{"type": "response.cancel", "id": "x"}', "unknown_parameter", "id"),
        (
            '{"type": "conversation.item.create", "item": {}}',
            "missing_required_parameter",
            "item.type",
        ),
        (
            '{"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": "1"}',
            "invalid_type",
            "audio_end_ms",
        ),
    ],
)
def test_errors_name_what_is_wrong(message: str | bytes, code: str, param: str | None) -> None:
    error = error_of(message)
    assert (error.code, error.param) == (code, param)
    assert str(error)


def test_an_oversized_append_is_an_error() -> None:
    audio = base64.b64encode(bytes(rt.AUDIO_MAX_BYTES + 1)).decode()
    assert error_of(json.dumps({"type": "input_audio_buffer.append", "audio": audio})).param == "audio"


def test_the_event_id_is_found_in_a_faulty_event() -> None:
    assert rt.event_id_of('{"type": "no.such.event", "event_id": "e7"}') == "e7"
    assert rt.event_id_of('{"event_id": 5}') is None
    assert rt.event_id_of("{") is None


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=200) | st.text(max_size=200) | JSON.map(json.dumps))
def test_only_the_documented_error_comes_out(message: str | bytes) -> None:
    with suppress(rt.ProtocolError):
        rt.decode(message)
    rt.event_id_of(message)
