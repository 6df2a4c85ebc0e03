"""The Realtime session beyond the transcripts: rubbish, and memory that stays small."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends import realtime_events as rt
from gateway.backends.realtime_formats import RealtimeFormats
from gateway.backends.realtime_session import RealtimeProtocolError, RealtimeSession
from gateway.core.audio import WireFormat


def session_in(wire: WireFormat) -> RealtimeSession:
    return RealtimeSession(RealtimeFormats(wire, wire))


def delta(item_id: str, data: bytes, response_id: str = "resp_1") -> rt.ServerEvent:
    return rt.ServerEvent(
        "response.output_audio.delta",
        item_id=item_id,
        response_id=response_id,
        delta=base64.b64encode(data).decode(),
    )


@pytest.mark.parametrize("text", ["a", "====a", "abc", "äöü", "\N{EURO SIGN}uro"])
def test_audio_that_is_not_base64(text: str) -> None:
    session = session_in(WireFormat.PCMU)
    with pytest.raises(RealtimeProtocolError, match="base64"):
        session.audio(rt.ServerEvent("response.output_audio.delta", item_id="i", delta=text))


def test_audio_of_no_item() -> None:
    with pytest.raises(RealtimeProtocolError, match="item_id"):
        session_in(WireFormat.PCMU).audio(delta("", b"x"))


def test_half_a_sample() -> None:
    assert session_in(WireFormat.PCMU).audio(delta("i", b"x")) == b"x"
    with pytest.raises(RealtimeProtocolError, match="sample"):
        session_in(WireFormat.PCM24K).audio(delta("i", b"xyz"))


@pytest.mark.parametrize("kind", ["response.created", "response.done"])
def test_a_response_event_without_a_response(kind: str) -> None:
    with pytest.raises(RealtimeProtocolError, match="without a response"):
        session_in(WireFormat.PCMU).handle(rt.ServerEvent(kind))


def test_a_long_call_is_not_remembered_for_ever() -> None:
    session = session_in(WireFormat.PCMU)
    for n in range(1000):
        session.handle(rt.ServerEvent("response.created", response=rt.ResponseInfo(f"r{n}")))
        session.audio(delta(f"i{n}", b"x" * 80, f"r{n}"))
        session.interrupt(f"i{n}")
    assert session.truncate("i0", 10) == []
    assert session.truncate("i999", 10) != []
    assert session.audio(delta("i999", b"x")) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["created", "delta", "done", "speech", "ask", "resume", "key", "interrupt", "error"]
            ),
            st.integers(0, 2),
        ),
        max_size=40,
    )
)
def test_the_service_is_never_asked_while_it_answers(steps: list[tuple[str, int]]) -> None:
    """A service that answers one at a time gets no request too many, and no request is forgotten."""
    session = session_in(WireFormat.PCMU)
    running: str | None = None
    requested = False

    def sent(messages: list[bytes]) -> None:
        nonlocal requested
        for message in messages:
            if json.loads(message)["type"] == "response.create":
                assert running is None
                assert not requested
                requested = True

    for serial, (step, n) in enumerate(steps):
        match step:
            case "created" if running is None:
                running, requested = f"r{serial}", False
                session.handle(rt.ServerEvent("response.created", response=rt.ResponseInfo(running)))
            case "done" if running is not None:
                done = rt.ResponseInfo(running, "completed")
                running = None
                session.handle(rt.ServerEvent("response.done", response=done))
                sent(session.take_due())
            case "delta" if running is not None:
                session.audio(delta(f"item {n}", b"x" * 80, running))
            case "speech":
                session.handle(rt.ServerEvent("input_audio_buffer.speech_started", item_id="c"))
            case "error" if requested:
                requested = False
                session.handle(rt.ServerEvent("error", error=rt.ErrorInfo(code="x")))
            case "ask":
                sent(session.ask())
            case "resume":
                sent(session.resume())
            case "key":
                sent(session.key(str(n)))
            case "interrupt":
                sent(session.interrupt(f"item {n}"))
