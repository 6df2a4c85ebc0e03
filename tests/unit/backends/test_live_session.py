"""One GPT-Live session in virtual time, without a socket; messages checked against OpenAI's own types."""

import json
from typing import Any

import pytest
from openai.types.live import ClientEvent
from pydantic import TypeAdapter

from gateway.backends import live_events as live
from gateway.backends.contract import (
    AudioDone,
    BackendEvent,
    FunctionCall,
    ServiceNotice,
    Transcript,
    Utterance,
)
from gateway.backends.live_session import PAUSE_S, SILENCE_S, LiveProtocolError, LiveSession
from gateway.core.audio import WireFormat

T0 = 50.0
SECOND = 8000


class Service:
    """A session and what the service can do to it."""

    def __init__(self) -> None:
        self.session = LiveSession(WireFormat.PCMU)
        self.now = T0

    def says(self, kind: str, **fields: object) -> list[BackendEvent]:
        """Any event."""
        return self.session.handle(live.decode(json.dumps({"type": kind, **fields})), self.now)

    def caller(self, text: str, start_ms: int, end_ms: int) -> list[BackendEvent]:
        """Words of the caller."""
        return self.says("session.input_transcript.delta", delta=text, start_ms=start_ms, end_ms=end_ms)

    def agent(self, text: str, start_ms: int, end_ms: int) -> list[BackendEvent]:
        """Words of the agent."""
        return self.says("session.output_transcript.delta", delta=text, start_ms=start_ms, end_ms=end_ms)

    def behind(self, **event: object) -> list[BackendEvent]:
        """An event of the model behind the voice."""
        return self.says("response.event", event=event)


@pytest.fixture
def service() -> Service:
    return Service()


def finals(events: list[BackendEvent]) -> list[Utterance]:
    return [event.utterance for event in events if isinstance(event, Transcript) and event.final]


# ---- audio ---------------------------------------------------------------------------------------


def test_speech_is_one_item_until_it_pauses(service: Service) -> None:
    session = service.session
    assert session.heard(SECOND, T0, silent=False) == ([], "speech_1")
    assert session.heard(SECOND, T0 + 1, silent=False) == ([], "speech_1")
    assert session.handle_timeout(T0 + 2) == []
    assert session.handle_timeout(T0 + 2 + SILENCE_S) == [AudioDone("speech_1")]
    assert session.heard(SECOND, T0 + 9, silent=False) == ([], "speech_2")


def test_silence_is_played_within_an_item_and_left_out_between_two(service: Service) -> None:
    session = service.session
    assert session.heard(800, T0, silent=True) == ([], None)
    session.heard(SECOND, T0, silent=False)
    assert session.heard(800, T0 + 1.0, silent=True) == ([], "speech_1")
    late = T0 + 1.0 + SILENCE_S
    assert session.heard(800, late, silent=True) == ([AudioDone("speech_1")], None)


@pytest.mark.parametrize("delta", ["a", "====", "\u00e4", "AA\nAA"])
def test_what_is_not_base64_is_no_audio(service: Service, delta: str) -> None:
    with pytest.raises(LiveProtocolError):
        service.session.audio(live.ServerEvent("session.output_audio.delta", delta=delta))


def test_half_a_sample_is_no_audio() -> None:
    session = LiveSession(WireFormat.PCM24K)
    with pytest.raises(LiveProtocolError):
        session.audio(live.ServerEvent("session.output_audio.delta", delta="AAAA"))


# ---- transcripts ---------------------------------------------------------------------------------


def test_fragments_become_an_utterance_after_a_pause(service: Service) -> None:
    assert service.caller("bill", 0, 300) == [
        Transcript("caller_0", Utterance("caller", "bill"), final=False)
    ]
    service.now += 0.5
    service.caller("ing please", 300, 900)
    assert service.session.next_deadline() == service.now + PAUSE_S
    assert service.session.handle_timeout(service.now + PAUSE_S - 0.1) == []
    events = service.session.handle_timeout(service.now + PAUSE_S)
    assert events == [Transcript("caller_0", Utterance("caller", "billing please"), final=True)]
    assert service.session.next_deadline() is None
    assert service.caller("yes", 5000, 5300)[0] == Transcript(
        "caller_1", Utterance("caller", "yes"), final=False
    )


def test_the_other_sides_words_end_an_utterance(service: Service) -> None:
    service.caller("billing please", 0, 900)
    events = service.agent("Sure", 1000, 1200)
    assert finals(events) == [Utterance("caller", "billing please")]
    assert events[-1] == Transcript("agent_0", Utterance("agent", "Sure"), final=False)


def test_both_may_speak_at_once(service: Service) -> None:
    service.agent("Well, I would", 0, 1000)
    assert finals(service.caller("mm-hm", 500, 800)) == []
    assert finals(service.agent(" say so", 1000, 1500)) == [Utterance("caller", "mm-hm")]
    assert finals(service.session.finish()) == [Utterance("agent", "Well, I would say so")]


def test_a_pause_within_the_recording_ends_an_utterance_that_comes_late(service: Service) -> None:
    service.agent("One.", 0, 500)
    assert finals(service.agent("Two.", 3000, 3500)) == [Utterance("agent", "One.")]


def test_an_endless_utterance_is_written_down_in_parts(service: Service) -> None:
    said = [service.agent("word " * 100, n * 100, n * 100 + 100) for n in range(20)]
    parts = [part for events in said for part in finals(events)]
    assert len(parts) == 2
    assert sum(len(part.text.split()) for part in parts) == 1600


def test_words_of_nothing_are_nothing(service: Service) -> None:
    assert service.caller("", 0, 0) == []
    service.caller(" ", 0, 10)
    assert service.session.finish() == []


# ---- tools and errors ----------------------------------------------------------------------------


def test_a_function_call_of_the_model_behind_the_voice(service: Service) -> None:
    item = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    assert service.behind(type="response.output_item.done", item=item) == [FunctionCall("c1", "f", "{}")]
    assert service.behind(type="response.output_item.done", item={"type": "message", "id": "m"}) == []
    assert service.behind(type="response.output_item.added", item=item) == []


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"error": {"code": "server_error", "message": "broken"}}, "broken"),
        ({"error": {"code": "server_error"}}, "server_error"),
        ({"error": None}, "the model behind the voice gave no reason"),
    ],
)
def test_a_failure_behind_the_voice_is_told(service: Service, response: dict[str, Any], words: str) -> None:
    assert service.behind(type="response.failed", response=response) == [
        ServiceNotice("response.failed", words)
    ]


def test_what_is_unknown_is_ignored(service: Service) -> None:
    assert service.says("session.usage.updated", usage={"seconds": 7}) == []
    assert service.says("session.something.new", x=[1]) == []
    assert service.says("response.event") == []


# ---- messages ------------------------------------------------------------------------------------

_CLIENT: TypeAdapter[Any] = TypeAdapter(ClientEvent)

TOOL: dict[str, Any] = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}


def start(**changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "model": "gpt-live-1",
        "wire_format": WireFormat.PCM24K,
        "instructions": "Be brief.",
        "voice": "marin",
        "history": [Utterance("caller", "hello"), Utterance("agent", "hi")],
        "tools": [TOOL],
        "tool_model": "m",
        "tool_instructions": "Look it up.",
    }
    message = live.session_start(**(settings | changes))
    _CLIENT.validate_json(message)
    value = json.loads(message)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    "message",
    [
        live.append_audio(b"\x01\x02"),
        live.instruct("Say hello."),
        live.mention("The caller wrote: hello", "d1"),
        live.tool_output("c1", "{}"),
        live.CONTINUE,
        live.CLOSE,
    ],
)
def test_messages_are_openais(message: bytes) -> None:
    event = _CLIENT.validate_json(message)
    assert event.type == json.loads(message)["type"]


def test_the_start_of_a_session() -> None:
    session = start()["session"]
    assert session["audio"] == {"format": {"type": "audio/pcm", "rate": 24000}, "output": {"voice": "marin"}}
    assert [item["role"] for item in session["input"]] == ["user", "assistant"]
    assert session["delegation"]["responses"]["tools"] == [TOOL]


def test_a_session_without_anything_special() -> None:
    bare = start(instructions="", voice=None, history=[], tools=[], wire_format=WireFormat.PCMU)
    assert bare["session"] == {
        "model": "gpt-live-1",
        "audio": {"format": {"type": "audio/pcmu", "rate": 8000}},
    }


def test_only_the_end_of_a_long_conversation_is_told() -> None:
    history = [Utterance("caller", f"{n} " + "x" * 3990) for n in range(10)]
    told = start(history=history)["session"]["input"]
    assert [item["content"][0]["text"][0] for item in told] == ["6", "7", "8", "9"]


def test_long_texts_are_cut_to_what_the_service_takes() -> None:
    assert len(json.loads(live.instruct("x" * 9000))["content"]) == 1500
