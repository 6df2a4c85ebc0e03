"""session.update: only what is named changes, and what is wrong is named."""

from typing import Any

import pytest

from gateway.bot.protocol import ProtocolError
from gateway.bot.settings import Settings, TurnDetection, update
from gateway.core.audio import WireFormat


def updated(session: dict[str, Any], before: Settings | None = None) -> Settings:
    return update(before or Settings(), {"type": "realtime", **session})


def test_only_what_is_named_changes() -> None:
    first = updated({"instructions": "Be kind.", "audio": {"input": {"format": {"type": "audio/pcma"}}}})
    assert first.input_format is WireFormat.PCMA
    assert first.output_format is WireFormat.PCM24K
    second = updated({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, first)
    assert (second.input_format, second.output_format) == (WireFormat.PCMA, WireFormat.PCMU)
    assert second.instructions == "Be kind."


def test_turn_detection_is_merged_and_can_be_turned_off() -> None:
    given = {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}}}
    assert updated(given).turn_detection == TurnDetection(silence_duration_ms=300)
    off = updated({"audio": {"input": {"turn_detection": None}}})
    assert off.turn_detection is None
    assert updated(given, off).turn_detection == TurnDetection(silence_duration_ms=300)


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"colour": 1}, "unknown_parameter", "session.colour"),
        ({"output_modalities": ["text"]}, "invalid_value", "session.output_modalities"),
        ({"audio": 5}, "invalid_value", "session.audio"),
        ({"instructions": 5}, "invalid_value", "session.instructions"),
        ({"tools": [5]}, "invalid_value", "session.tools"),
        (
            {"audio": {"input": {"format": {"type": "audio/opus"}}}},
            "invalid_value",
            "session.audio.input.format.type",
        ),
        (
            {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "invalid_value",
            "session.audio.output.format.rate",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": True}}}},
            "invalid_value",
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "patience": 1}}}},
            "unknown_parameter",
            "session.audio.input.turn_detection.patience",
        ),
        ({"audio": {"output": {"speed": 9}}}, "invalid_value", "session.audio.output.speed"),
    ],
)
def test_errors_name_the_parameter(session: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        updated(session)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_session_without_a_type_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        update(Settings(), {"instructions": "x"})
    assert caught.value.code == "missing_required_parameter"


def test_functions_the_client_may_be_asked_for() -> None:
    assert Settings().may_call("end_call")
    some = updated({"tools": [{"type": "function", "name": "end_call"}]})
    assert some.may_call("end_call")
    assert not some.may_call("transfer_call")
    assert not updated({"tool_choice": "none"}).may_call("end_call")
