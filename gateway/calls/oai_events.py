"""A call's life as the JSON events of OpenAI's Realtime data channel (`oai-events`). Pure.

A page written for OpenAI's Realtime API over WebRTC reads these events unchanged. Every method
returns the texts to send, in order; audio is no event here, it goes by RTP. The machine names
items and responses by the service's own ids, so that what a page says about them can be told on.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from gateway.backends import contract as ai

_REMEMBERED: Final = 64
"""Items kept in mind; older ones cannot matter any more."""

_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class _Item:
    """Something the agent says or does."""

    response_id: str
    index: int
    text: str = ""
    done: bool = False
    call: ai.FunctionCall | None = None

    def described(self, item_id: str) -> dict[str, Any]:
        status = "completed" if self.done else "in_progress"
        base: dict[str, Any] = {"id": item_id, "object": "realtime.item", "status": status}
        if self.call is not None:
            return base | {
                "type": "function_call",
                "call_id": self.call.call_id,
                "name": self.call.name,
                "arguments": self.call.arguments,
            }
        content = [{"type": "output_audio", "transcript": self.text}] if self.text else []
        return base | {"type": "message", "role": "assistant", "content": content}


@dataclass(slots=True)
class _Response:
    id: str
    items: list[str] = field(default_factory=list)


class OaiEvents:
    """The server's side of one data channel."""

    def __init__(self, session_id: str, model: str, began_s: float) -> None:
        """`session_id`: unique per channel; also begins the ids of events. Times in monotonic seconds."""
        self._session_id = session_id
        self._model = model
        self._began_s = began_s
        self._instructions: str | None = None
        self._serial = 0
        self._items: dict[str, _Item] = {}
        self._response: _Response | None = None
        self._last_item: str | None = None
        self._spoke_at: float = began_s
        self._turn_s: dict[str, float] = {}

    @property
    def answering(self) -> bool:
        """Whether a response is being made."""
        return self._response is not None

    def _event(self, type_: str, **fields: Any) -> str:
        self._serial += 1
        event = {"type": type_, "event_id": f"event_{self._session_id}_{self._serial}", **fields}
        return _encoder.encode(event).decode()

    def _ms(self, now: float) -> int:
        return max(0, round((now - self._began_s) * 1000))

    def _session(self) -> dict[str, Any]:
        session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": f"sess_{self._session_id}",
            "model": self._model,
            "output_modalities": ["audio"],
        }
        # The agent's own instructions are nobody's business; the peer sees what the peer has set.
        return session if self._instructions is None else session | {"instructions": self._instructions}

    # ---- the session ---------------------------------------------------------------------------

    def opened(self) -> list[str]:
        """The channel can be used."""
        return [self._event("session.created", session=self._session())]

    def instructed(self, instructions: str) -> list[str]:
        """The peer's instructions hold now."""
        self._instructions = instructions
        return [self._event("session.updated", session=self._session())]

    def input_forgotten(self) -> list[str]:
        """The caller's present turn was thrown away."""
        return [self._event("input_audio_buffer.cleared")]

    def error(self, code: str, message: str, *, param: str = "", event_id: str | None = None) -> list[str]:
        """The peer's event `event_id` was not carried out."""
        error = {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": param or None,
            "event_id": event_id,
        }
        return [self._event("error", error=error)]

    # ---- what the service reports ----------------------------------------------------------------

    def reported(self, event: ai.BackendEvent, now: float) -> list[str]:
        """Anything from the backend."""
        match event:
            case ai.SpeechStarted():
                self._spoke_at = now
                start = {"audio_start_ms": self._ms(now), "item_id": event.item_id}
                return [self._event("input_audio_buffer.speech_started", **start)]
            case ai.SpeechStopped():
                return self._turn_over(event.item_id, now)
            case ai.ResponseStarted():
                self._response = _Response(event.response_id)
                return [self._event("response.created", response=self._described("in_progress"))]
            case ai.Transcript():
                by_agent = event.utterance.role == "agent"
                return self._agent_words(event) if by_agent else self._caller_words(event)
            case ai.AudioDone():
                added = self._introduce(event.item_id)
                where = self._where(event.item_id)
                return [*added, self._event("response.output_audio.done", content_index=0, **where)]
            case ai.FunctionCall():
                return self._function_call(event)
            case ai.ResponseDone():
                return self._response_done(event.status, event.detail)
            case ai.BackendLost():
                return self._response_done("failed", event.error.kind)
            case ai.ServiceNotice():
                error = {"type": "server_error", "code": event.code, "message": event.message}
                return [self._event("error", error=error)]
            case ai.ClearPlayout() | ai.HungUp():
                return []

    def _turn_over(self, item_id: str, now: float) -> list[str]:
        self._turn_s = {item_id: max(0.0, now - self._spoke_at)}
        previous, self._last_item = self._last_item, item_id
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        placed = {"previous_item_id": previous, "item": item}
        end = {"audio_end_ms": self._ms(now), "item_id": item_id}
        return [
            self._event("input_audio_buffer.speech_stopped", **end),
            self._event("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id),
            self._event("conversation.item.added", **placed),
            self._event("conversation.item.done", **placed),
        ]

    def _caller_words(self, event: ai.Transcript) -> list[str]:
        prefix = "conversation.item.input_audio_transcription"
        where = {"item_id": event.item_id, "content_index": 0}
        if not event.final:
            return [self._event(f"{prefix}.delta", delta=event.utterance.text, **where)]
        seconds = round(self._turn_s.pop(event.item_id, 0.0), 3)
        usage = {"type": "duration", "seconds": seconds}
        return [self._event(f"{prefix}.completed", transcript=event.utterance.text, usage=usage, **where)]

    def _agent_words(self, event: ai.Transcript) -> list[str]:
        events = self._introduce(event.item_id)
        item, where, text = self._items[event.item_id], self._where(event.item_id), event.utterance.text
        if not event.final:
            item.text += text
            return [
                *events,
                self._event("response.output_audio_transcript.delta", content_index=0, delta=text, **where),
            ]
        item.text = text
        return [
            *events,
            self._event("response.output_audio_transcript.done", content_index=0, transcript=text, **where),
            *self._finish(event.item_id),
        ]

    def _function_call(self, call: ai.FunctionCall) -> list[str]:
        item_id = f"item_{call.call_id}"[:64]
        events = self._introduce(item_id, call)
        return [
            *events,
            self._event(
                "response.function_call_arguments.done",
                call_id=call.call_id,
                name=call.name,
                arguments=call.arguments,
                **self._where(item_id),
            ),
            *self._finish(item_id),
        ]

    # ---- items and responses -----------------------------------------------------------------------

    def _introduce(self, item_id: str, call: ai.FunctionCall | None = None) -> list[str]:
        """Tell of an item of the agent's when it is first heard of."""
        if item_id in self._items:
            return []
        response = self._response or _Response("")
        item = _Item(response.id, len(response.items), call=call)
        response.items.append(item_id)
        self._items[item_id] = item
        if len(self._items) > _REMEMBERED:
            del self._items[next(iter(self._items))]
        previous, self._last_item = self._last_item, item_id
        described = item.described(item_id)
        in_response = {"response_id": item.response_id, "output_index": item.index}
        return [
            self._event("response.output_item.added", item=described, **in_response),
            self._event("conversation.item.added", previous_item_id=previous, item=described),
        ]

    def _finish(self, item_id: str) -> list[str]:
        item = self._items[item_id]
        if item.done:
            return []
        item.done = True
        described = item.described(item_id)
        in_response = {"response_id": item.response_id, "output_index": item.index}
        return [
            self._event("conversation.item.done", item=described),
            self._event("response.output_item.done", item=described, **in_response),
        ]

    def _where(self, item_id: str) -> dict[str, Any]:
        item = self._items[item_id]
        return {"response_id": item.response_id, "item_id": item_id, "output_index": item.index}

    def _described(self, status: str) -> dict[str, Any]:
        response = self._response
        assert response is not None
        output = [self._items[item].described(item) for item in response.items if item in self._items]
        return {
            "id": response.id,
            "object": "realtime.response",
            "status": status,
            "output": output,
            "output_modalities": ["audio"],
        }

    def _response_done(self, status: str, detail: str) -> list[str]:
        if self._response is None:
            return []
        described = self._described(status)
        self._response = None
        details: dict[str, Any] = {"type": status}
        if status == "failed":
            details["error"] = {"type": "server_error", "code": detail}
        elif status == "cancelled":
            details["reason"] = "turn_detected"
        return [self._event("response.done", response=described | {"status_details": details})]

    # ---- what the peer hears and writes ----------------------------------------------------------------

    def playing(self, item_id: str, what: Literal["started", "stopped", "cleared"]) -> list[str]:
        """The agent's audio begins, ends, or is cut off."""
        item = self._items.get(item_id)
        response_id = item.response_id if item is not None else (self._response.id if self._response else "")
        return [self._event(f"output_audio_buffer.{what}", response_id=response_id)]

    def truncated(self, item_id: str, heard_ms: int) -> list[str]:
        """The peer interrupted an item and heard only this much of it."""
        where = {"item_id": item_id, "content_index": 0}
        return [self._event("conversation.item.truncated", audio_end_ms=heard_ms, **where)]

    def written(self, item_id: str, text: str) -> list[str]:
        """A text of the peer's is part of the conversation now."""
        previous, self._last_item = self._last_item, item_id
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_text", "text": text}],
        }
        placed = {"previous_item_id": previous, "item": item}
        return [
            self._event("conversation.item.added", **placed),
            self._event("conversation.item.done", **placed),
        ]
