"""The events of the data channel, checked against the types of OpenAI's own SDK."""

import json
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from gateway.backends import contract as ai
from gateway.calls.oai_events import OaiEvents

_SDK: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


class Page:
    """Reads what the channel says, and insists on the SDK's types."""

    def __init__(self) -> None:
        self.events = OaiEvents("c1", "receptionist", 100.0)
        self.read: list[dict[str, Any]] = []

    def see(self, texts: list[str]) -> list[str]:
        """Types of the events, in order."""
        for text in texts:
            _SDK.validate_json(text, strict=False)
            self.read.append(json.loads(text))
        return [json.loads(text)["type"] for text in texts]

    def hear(self, *events: ai.BackendEvent, now: float = 101.0) -> list[str]:
        return [seen for event in events for seen in self.see(self.events.reported(event, now))]

    def last(self, type_: str) -> dict[str, Any]:
        return next(event for event in reversed(self.read) if event["type"] == type_)


def said(item: str, text: str, *, final: bool = True, by_agent: bool = True) -> ai.Transcript:
    return ai.Transcript(item, ai.Utterance("agent" if by_agent else "caller", text), final)


def test_an_answer_from_its_beginning_to_its_end() -> None:
    page = Page()
    types = page.hear(
        ai.ResponseStarted("r1"),
        said("i1", "Good ", final=False),
        said("i1", "day.", final=False),
        ai.AudioDone("i1"),
        said("i1", "Good day."),
        ai.ResponseDone("r1", "completed"),
    )
    assert types == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    done = page.last("response.done")["response"]
    assert (done["id"], done["status"], done["status_details"]) == ("r1", "completed", {"type": "completed"})
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Good day."}]
    assert page.last("response.output_audio_transcript.done")["response_id"] == "r1"


def test_a_turn_of_the_caller() -> None:
    page = Page()
    page.hear(ai.SpeechStarted("u1"), now=101.5)
    types = page.hear(ai.SpeechStopped("u1"), now=103.25)
    assert types == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert page.last("input_audio_buffer.speech_started")["audio_start_ms"] == 1500
    assert page.last("input_audio_buffer.speech_stopped")["audio_end_ms"] == 3250
    page.hear(said("u1", "hel", final=False, by_agent=False), said("u1", "hello", by_agent=False))
    words = page.last("conversation.item.input_audio_transcription.completed")
    assert (words["item_id"], words["transcript"]) == ("u1", "hello")
    assert words["usage"] == {"type": "duration", "seconds": 1.75}


def test_items_name_the_one_before() -> None:
    page = Page()
    page.hear(ai.SpeechStarted("u1"), ai.SpeechStopped("u1"), ai.ResponseStarted("r1"), said("i1", "Yes."))
    page.see(page.events.written("u2", "thanks"))
    added = [event for event in page.read if event["type"] == "conversation.item.added"]
    assert [(event["previous_item_id"], event["item"]["id"]) for event in added] == [
        (None, "u1"),
        ("u1", "i1"),
        ("i1", "u2"),
    ]


def test_a_function_call_is_an_item_of_its_response() -> None:
    page = Page()
    page.hear(
        ai.ResponseStarted("r1"), said("i1", "One moment."), ai.FunctionCall("f1", "look_up", '{"a":1}')
    )
    call = page.last("response.function_call_arguments.done")
    assert (call["call_id"], call["name"], call["arguments"]) == ("f1", "look_up", '{"a":1}')
    assert (call["response_id"], call["output_index"]) == ("r1", 1)
    page.hear(ai.ResponseDone("r1", "completed"))
    outputs = page.last("response.done")["response"]["output"]
    assert [item["type"] for item in outputs] == ["message", "function_call"]


def test_what_ends_badly_says_so() -> None:
    page = Page()
    page.hear(ai.ResponseStarted("r1"), ai.ResponseDone("r1", "cancelled", "turn_detected"))
    assert page.last("response.done")["response"]["status_details"]["reason"] == "turn_detected"
    page.hear(ai.ResponseStarted("r2"), ai.BackendLost(ai.BackendError("lost", "gone", retryable=True)))
    failed = page.last("response.done")["response"]
    assert (failed["id"], failed["status"]) == ("r2", "failed")
    assert failed["status_details"]["error"]["code"] == "lost"
    assert page.hear(ai.BackendLost(ai.BackendError("lost", "gone", retryable=True))) == []
    assert not page.events.answering


def test_the_session_shows_only_what_the_peer_set() -> None:
    page = Page()
    assert page.see(page.events.opened()) == ["session.created"]
    session = page.last("session.created")["session"]
    assert (session["type"], session["model"]) == ("realtime", "receptionist")
    assert "instructions" not in session
    page.see(page.events.instructed("Rhyme."))
    assert page.last("session.updated")["session"]["instructions"] == "Rhyme."


def test_what_the_peer_hears() -> None:
    page = Page()
    page.hear(ai.ResponseStarted("r1"), said("i1", "Hel", final=False))
    types = page.see(page.events.playing("i1", "started")) + page.see(page.events.playing("i1", "cleared"))
    types += page.see(page.events.truncated("i1", 340)) + page.see(page.events.playing("i1", "stopped"))
    assert types == [
        "output_audio_buffer.started",
        "output_audio_buffer.cleared",
        "conversation.item.truncated",
        "output_audio_buffer.stopped",
    ]
    assert page.last("output_audio_buffer.started")["response_id"] == "r1"
    assert page.last("conversation.item.truncated")["audio_end_ms"] == 340


def test_errors_name_the_event_they_are_about() -> None:
    page = Page()
    page.see(page.events.error("invalid_event", "no", param="session.tools", event_id="mine"))
    error = page.last("error")["error"]
    assert (error["code"], error["param"], error["event_id"]) == ("invalid_event", "session.tools", "mine")
    page.hear(ai.ServiceNotice("transcription_failed", "too quiet"))
    assert page.last("error")["error"]["type"] == "server_error"


def test_ids_of_events_are_unique_and_a_long_call_keeps_little() -> None:
    page = Page()
    for number in range(300):
        page.hear(
            ai.ResponseStarted(f"r{number}"),
            said(f"i{number}", "x"),
            ai.ResponseDone(f"r{number}", "completed"),
        )
    ids = [event["event_id"] for event in page.read]
    assert len(set(ids)) == len(ids)
    # An item that is long forgotten is told of anew instead of failing.
    assert page.hear(said("i0", "again"))[0] == "response.output_item.added"
