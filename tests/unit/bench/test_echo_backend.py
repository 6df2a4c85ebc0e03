"""The echoing backend, event by event."""

import base64
from typing import Any

import msgspec
import pytest

from gateway.backends import realtime_events as rt
from gateway.bench.echo_backend import Session, appended_audio

AUDIO = bytes(range(160))


def _append(audio: bytes = AUDIO) -> str:
    return rt.append_audio(audio).decode()


def _decoded(events: list[str]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(event) for event in events]


@pytest.mark.parametrize(
    "event",
    [
        _append(),
        '{"audio": "' + base64.b64encode(AUDIO).decode() + '", "type": "input_audio_buffer.append"}',
        '{ "event_id":"e", "type" : "input_audio_buffer.append" , "audio":"'
        + base64.b64encode(AUDIO).decode()
        + '"}',
    ],
)
def test_finds_the_audio_however_the_event_is_written(event: str) -> None:
    audio = appended_audio(event)
    assert audio is not None
    assert base64.b64decode(audio) == AUDIO


@pytest.mark.parametrize(
    "event", ['{"type":"session.update"}', '{"type":"input_audio_buffer.append"}', "", '{"audio":"AAAA"}']
)
def test_other_events_have_no_audio(event: str) -> None:
    assert appended_audio(event) is None


def test_each_append_comes_back_as_the_gateway_reads_it() -> None:
    session = Session(None)
    assert [event["type"] for event in _decoded(session.opening())] == ["session.created"]
    first = [rt.decode(event) for event in session.handle(_append())]
    assert [event.type for event in first] == [
        "response.created",
        "response.output_item.added",
        "response.output_audio.delta",
    ]
    (second,) = (rt.decode(event) for event in session.handle(_append(b"\x01" * 160)))
    assert (second.item_id, base64.b64decode(second.delta)) == ("item_1", b"\x01" * 160)


def test_session_update_is_confirmed_with_its_session() -> None:
    (event,) = _decoded(Session(None).handle('{"type":"session.update","session":{"voice":"x"}}'))
    assert (event["type"], event["session"]) == ("session.updated", {"voice": "x"})


def test_events_it_does_not_know_are_ignored_and_rubbish_is_an_error() -> None:
    assert Session(None).handle('{"type":"response.cancel"}') == []
    with pytest.raises(msgspec.DecodeError):
        Session(None).handle("no json")


def test_it_ends_the_call_once_after_the_asked_time_and_falls_silent() -> None:
    session = Session(hangup_after_ms=60)
    session.handle(_append())
    session.handle(_append())
    events = [rt.decode(event) for event in session.handle(_append())]
    assert [event.type for event in events] == [
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_item.added",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
    ]
    assert events[3].name == "end_call"
    assert session.handle(_append()) == []
