"""One answer being streamed: a sans-IO machine that makes the events of a response, in order.

Audio goes out in deltas of 100 ms, ahead of real time: `LEAD_MS` at once, then `SPEED` times as
fast as it is heard. That is quick enough for any playout buffer, and leaves a response active for
a while, as with a real service, so that a client can cancel it.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

from gateway.bot.dialogue import Reply, ToolCall
from gateway.bot.protocol import ServerEvent
from gateway.bot.settings import Settings, format_object
from gateway.core.audio import WireFormat
from gateway.media.g711 import alaw_encode, ulaw_encode

DELTA_MS: Final = 100
LEAD_MS: Final = 500
SPEED: Final = 8.0
_ROUNDING_MS: Final = 0.001

NewId = Callable[[str], str]
"""A fresh id with the given prefix."""
FindSpeech = Callable[[str], bytes | None]
"""PCM of a sentence at the output's sample rate, or None if it has to be synthesised first."""
CancelReason = Literal["turn_detected", "client_cancelled"]


class Response:
    """The events of one response, from response.created to response.done."""

    def __init__(
        self,
        reply: Reply,
        settings: Settings,
        new_id: NewId,
        *,
        conversation_id: str,
        metadata: dict[str, str] | None = None,
    ) -> None:
        self._new_id = new_id
        self._wire = settings.output_format
        self._bytes_per_ms = self._wire.sample_rate_hz * self._wire.bytes_per_sample // 1000
        self._sentences = deque(reply.say)
        self._call: ToolCall | None = reply.call
        self.id = new_id("resp")
        self.item_id = new_id("item") if reply.say else None
        self.call_id: str | None = None
        self.waiting_for: str | None = None
        """Sentence whose speech is missing."""
        self.sent_ms = 0.0
        """Audio sent."""
        self.sentence_ends_ms: list[float] = []
        """Position in the audio at which each sentence ends that has been begun."""
        self._audio = b""
        self._said: list[str] = []
        self._started_at: float | None = None
        self._output: list[dict[str, Any]] = []
        self._shape: dict[str, Any] = {
            "id": self.id,
            "object": "realtime.response",
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "conversation_id": conversation_id,
            "output_modalities": ["audio"],
            "audio": {"output": {"format": format_object(self._wire), "voice": settings.voice}},
            "max_output_tokens": "inf",
            "usage": None,
            "metadata": metadata,
        }
        self.finished = False

    @property
    def transcript(self) -> str:
        """Words of the sentences that have been begun."""
        return " ".join(self._said)

    def start(self) -> list[ServerEvent]:
        """response.created, and the message item if something will be said."""
        events = [_event("response.created", response=self._shape)]
        if self.item_id is None:
            return events
        item = self._message("in_progress", None)
        events.append(self._of_output("response.output_item.added", item=item))
        part = {"type": "audio", "transcript": ""}
        return [*events, self._of_part("response.content_part.added", part=part)]

    def advance(self, now: float, find: FindSpeech) -> list[ServerEvent]:
        """What is due by now; ends the response after the last sentence."""
        events: list[ServerEvent] = []
        self.waiting_for = None
        while not self.finished:
            if not self._audio:
                if not self._sentences:
                    return events + self._complete()
                pcm = find(self._sentences[0])
                if pcm is None:
                    self.waiting_for = self._sentences[0]
                    return events
                events.append(self._begin_sentence(pcm))
            if self._started_at is None:
                self._started_at = now
            if self.sent_ms > self._allowed_ms(now) + _ROUNDING_MS:
                return events
            events.append(self._delta())
        return events

    def _begin_sentence(self, pcm: bytes) -> ServerEvent:
        text = self._sentences.popleft()
        self._audio = _encoded(pcm, self._wire)
        self.sentence_ends_ms.append(self.sent_ms + len(self._audio) / self._bytes_per_ms)
        words = text if not self._said else f" {text}"
        self._said.append(text)
        return self._of_part("response.output_audio_transcript.delta", delta=words)

    def _delta(self) -> ServerEvent:
        size = DELTA_MS * self._bytes_per_ms
        data, self._audio = self._audio[:size], self._audio[size:]
        self.sent_ms += len(data) / self._bytes_per_ms
        return self._of_part("response.output_audio.delta", delta=data)

    def _allowed_ms(self, now: float) -> float:
        started = now if self._started_at is None else self._started_at
        return LEAD_MS + (now - started) * 1000 * SPEED

    @property
    def next_deadline(self) -> float | None:
        """When `advance` has something to do again; None when finished or waiting for speech."""
        if self.finished or self.waiting_for is not None or self._started_at is None:
            return None
        return self._started_at + max(0.0, self.sent_ms - LEAD_MS) / 1000 / SPEED

    def _complete(self) -> list[ServerEvent]:
        events = self._close_message("completed")
        if self._call is not None:
            events += self._function_call(self._call)
        return events + self._done("completed", None)

    def cancel(self, reason: CancelReason) -> list[ServerEvent]:
        """Stop here; the function of the reply is not called."""
        details = {"type": "cancelled", "reason": reason}
        return self._close_message("incomplete") + self._done("cancelled", details)

    def fail(self, code: str) -> list[ServerEvent]:
        """End because the speech cannot be made."""
        details = {"type": "failed", "error": {"type": "server_error", "code": code}}
        return self._close_message("incomplete") + self._done("failed", details)

    def _close_message(self, status: Literal["completed", "incomplete"]) -> list[ServerEvent]:
        if self.item_id is None:
            return []
        item = self._message(status, self.transcript)
        self._output.append(item)
        part = {"type": "audio", "transcript": self.transcript}
        return [
            self._of_part("response.output_audio.done"),
            self._of_part("response.output_audio_transcript.done", transcript=self.transcript),
            self._of_part("response.content_part.done", part=part),
            self._of_output("response.output_item.done", item=item),
        ]

    def _function_call(self, call: ToolCall) -> list[ServerEvent]:
        item_id, self.call_id = self._new_id("item"), self._new_id("call")
        index = len(self._output)
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "call_id": self.call_id,
            "name": call.name,
            "arguments": "",
        }
        done = item | {"status": "completed", "arguments": call.arguments}
        self._output.append(done)
        which = {"response_id": self.id, "item_id": item_id, "output_index": index, "call_id": self.call_id}
        whole = {"response_id": self.id, "output_index": index}
        return [
            _event("response.output_item.added", **whole, item=item),
            _event("response.function_call_arguments.delta", **which, delta=call.arguments),
            _event(
                "response.function_call_arguments.done", **which, name=call.name, arguments=call.arguments
            ),
            _event("response.output_item.done", **whole, item=done),
        ]

    def _done(self, status: str, details: dict[str, Any] | None) -> list[ServerEvent]:
        self.finished = True
        self._audio = b""
        usage = {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0}
        end = {"status": status, "status_details": details, "output": self._output, "usage": usage}
        return [_event("response.done", response=self._shape | end)]

    def _message(self, status: str, transcript: str | None) -> dict[str, Any]:
        content = [] if transcript is None else [{"type": "output_audio", "transcript": transcript}]
        return {
            "id": self.item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _of_output(self, kind: str, **fields: Any) -> ServerEvent:
        return _event(kind, response_id=self.id, output_index=0, **fields)

    def _of_part(self, kind: str, **fields: Any) -> ServerEvent:
        return _event(
            kind, response_id=self.id, item_id=self.item_id, output_index=0, content_index=0, **fields
        )


def _event(kind: str, **fields: Any) -> ServerEvent:
    return {"type": kind, **fields}


def _encoded(pcm: bytes, wire: WireFormat) -> bytes:
    if wire is WireFormat.PCMU:
        return ulaw_encode(pcm)
    return alaw_encode(pcm) if wire is WireFormat.PCMA else pcm
