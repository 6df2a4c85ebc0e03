"""Building and decoding Realtime messages."""

import base64
import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.backends import realtime_events as rt
from gateway.backends.contract import Utterance
from gateway.core.audio import WireFormat


def update(wire_format: WireFormat = WireFormat.PCMU, **changes: object) -> dict[str, object]:
    settings: dict[str, object] = {
        "instructions": "Be kind.",
        "voice": None,
        "transcription_model": "gpt-transcribe",
        "turn_silence_ms": 400,
        "interrupts": True,
        "tools": [],
    }
    message = rt.session_update(wire_format=wire_format, **(settings | changes))  # type: ignore[arg-type]
    event = json.loads(message)
    assert event["type"] == "session.update"
    session: dict[str, object] = event["session"]
    return session


@pytest.mark.parametrize(
    ("wire_format", "expected"),
    [
        (WireFormat.PCMU, {"type": "audio/pcmu"}),
        (WireFormat.PCMA, {"type": "audio/pcma"}),
        (WireFormat.PCM24K, {"type": "audio/pcm", "rate": 24000}),
    ],
)
def test_a_session_names_its_format_in_both_directions(
    wire_format: WireFormat, expected: dict[str, object]
) -> None:
    audio = update(wire_format)["audio"]
    assert isinstance(audio, dict)
    assert audio["input"]["format"] == audio["output"]["format"] == expected


def test_a_session_lets_the_service_take_turns() -> None:
    session = update()
    assert session["type"] == "realtime"
    assert session["output_modalities"] == ["audio"]
    audio = session["audio"]
    assert isinstance(audio, dict)
    assert audio["input"]["turn_detection"] == {
        "type": "server_vad",
        "silence_duration_ms": 400,
        "create_response": True,
        "interrupt_response": True,
    }
    assert "voice" not in audio["output"]
    assert "tools" not in session


def test_a_session_leaves_interruptions_to_the_gateway() -> None:
    audio = update(interrupts=False)["audio"]
    assert isinstance(audio, dict)
    assert audio["input"]["turn_detection"]["interrupt_response"] is False


def test_a_session_with_everything() -> None:
    tools = [{"type": "function", "name": "end_call"}]
    session = update(voice="marin", transcription_model=None, tools=tools)
    audio = session["audio"]
    assert isinstance(audio, dict)
    assert audio["output"]["voice"] == "marin"
    assert audio["input"]["transcription"] is None
    assert (session["tools"], session["tool_choice"]) == (tools, "auto")


@given(st.binary(max_size=2000))
def test_appended_audio_is_json_that_holds_it(data: bytes) -> None:
    event = json.loads(rt.append_audio(data))
    assert event["type"] == "input_audio_buffer.append"
    assert base64.b64decode(event["audio"]) == data


@given(st.text(), st.text())
def test_texts_survive_whatever_they_hold(said: str, output: str) -> None:
    try:
        said.encode()
        output.encode()
    except UnicodeEncodeError:
        return
    item = json.loads(rt.message_item(Utterance("agent", said)))["item"]
    assert item["role"] == "assistant"
    assert item["content"] == [{"type": "output_text", "text": said}]
    result = json.loads(rt.tool_output("call_1", output))["item"]
    assert (result["call_id"], result["output"]) == ("call_1", output)


@given(st.text() | st.binary())
@example('{"type": "x", "item_id": "\\ud800"}')
@example("\ud800")
@example("[" * 100_000)
@example('{"type":' + '{"a":' * 100_000)
def test_rubbish_raises_only_the_documented_error(message: str | bytes) -> None:
    with suppress(msgspec.MsgspecError):
        assert rt.decode(message).type is not None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = ["type", "item_id", "delta", "response", "error", "item", "transcript", "audio_start_ms"]


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON))
def test_fields_of_the_wrong_type_raise_only_the_documented_error(event: dict[str, object]) -> None:
    with suppress(msgspec.MsgspecError):
        assert rt.decode(json.dumps(event)).type == event["type"]
