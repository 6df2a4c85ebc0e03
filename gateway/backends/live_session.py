"""One GPT-Live session as a sans-IO machine: server events in, backend events and audio out.

The model listens while it speaks and paces its audio itself, so that there is nothing to interrupt
and nothing to truncate. Nor does it say where an utterance ends, neither its own nor the caller's:

- its audio is cut into items where it pauses (`AudioRuns`), or where it sends nothing but silence;
- transcripts come in fragments, which are joined until one side pauses or the other one speaks.
"""

from binascii import a2b_base64
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.backends import live_events as live
from gateway.backends.audio_runs import AudioRuns
from gateway.backends.contract import (
    AudioDone,
    BackendEvent,
    FunctionCall,
    ServiceNotice,
    Transcript,
    Utterance,
)
from gateway.core.audio import WireFormat
from gateway.errors import RemoteError

PAUSE_S: Final = 1.0
"""A side that adds no words for this long has finished its utterance."""

SILENCE_S: Final = 0.6
"""The voice has finished what it says; shorter pauses are between its sentences."""

_MAX_TEXT_CHARS: Final = 4000
"""An utterance that goes on and on is written down in parts of this length."""

_NO_WORKERS: Final = "Nobody can look anything up or do anything during this call. Go on without it."

_FAILED: Final = frozenset({"response.failed", "response.incomplete"})


class LiveProtocolError(RemoteError):
    """The service sent something that is not the protocol."""


@dataclass(slots=True)
class _Side:
    """Words of one side since its last pause."""

    role: Literal["caller", "agent"]
    number: int = 0
    parts: list[str] = field(default_factory=list)
    end_ms: int = 0
    quiet_at: float = 0.0

    @property
    def item_id(self) -> str:
        return f"{self.role}_{self.number}"


class LiveSession:
    """State of one session; times are monotonic seconds, audio is bytes in `wire_format`."""

    def __init__(self, wire_format: WireFormat) -> None:
        self._sample_bytes = wire_format.bytes_per_sample
        self._bytes_per_s = wire_format.sample_rate_hz * wire_format.bytes_per_sample
        self._runs = AudioRuns("speech", SILENCE_S)
        self._caller = _Side("caller")
        self._agent = _Side("agent")
        self._due: list[bytes] = []

    def take_due(self) -> list[bytes]:
        """Messages to send because of the events handled since the last call."""
        due, self._due = self._due, []
        return due

    def audio(self, event: live.ServerEvent) -> bytes:
        """Audio of a session.output_audio.delta. Raises `LiveProtocolError` on what is not audio."""
        try:
            data = a2b_base64(event.delta, strict_mode=True)
        except ValueError as exc:
            raise LiveProtocolError("audio delta is not base64") from exc
        if len(data) % self._sample_bytes:
            raise LiveProtocolError("audio delta ends in the middle of a sample")
        return data

    def heard(self, n_bytes: int, now: float, *, silent: bool) -> tuple[list[BackendEvent], str | None]:
        """That much audio came: what had ended before it, and the item it belongs to.

        Silence between two items belongs to none and need not be played.
        """
        add = self._runs.add_silence if silent else self._runs.add
        ended, item_id = add(n_bytes / self._bytes_per_s, now)
        return ([AudioDone(ended)] if ended is not None else []), item_id

    def handle(self, event: live.ServerEvent, now: float) -> list[BackendEvent]:
        """Any event but audio; unknown types are ignored (the protocol grows)."""
        match event.type:
            case "session.input_transcript.delta":
                return self._words(self._caller, self._agent, event, now)
            case "session.output_transcript.delta":
                return self._words(self._agent, self._caller, event, now)
            case "response.event" if event.event is not None:
                return self._behind(event.event)
            case "session.delegation.created":
                if event.delegation is not None and event.delegation.target == "client":
                    self._due.append(live.mention(_NO_WORKERS, event.delegation.id))
            case "error":
                code = (event.error and (event.error.code or event.error.type)) or "unknown"
                return [ServiceNotice(code, (event.error and event.error.message) or code)]
        return []

    def _behind(self, event: live.Nested) -> list[BackendEvent]:
        """What the model behind the voice does."""
        item, response = event.item, event.response
        if event.type == "response.output_item.done" and item is not None and item.type == "function_call":
            return [FunctionCall(item.call_id, item.name, item.arguments)]
        if event.type in _FAILED:
            error = response.error if response is not None else None
            words = (error and (error.message or error.code)) or "the model behind the voice gave no reason"
            return [ServiceNotice(event.type, words)]
        return []

    # ---- transcripts --------------------------------------------------------------------------

    def _words(self, side: _Side, other: _Side, event: live.ServerEvent, now: float) -> list[BackendEvent]:
        if not event.delta:
            return []
        events: list[BackendEvent] = []
        if other.parts and event.start_ms >= other.end_ms:
            events += self._finish(other)
        if side.parts and event.start_ms - side.end_ms > PAUSE_S * 1000:
            events += self._finish(side)
        side.parts.append(event.delta)
        side.end_ms = event.end_ms
        side.quiet_at = now + PAUSE_S
        events.append(Transcript(side.item_id, Utterance(side.role, event.delta), final=False))
        if sum(map(len, side.parts)) >= _MAX_TEXT_CHARS:
            events += self._finish(side)
        return events

    @staticmethod
    def _finish(side: _Side) -> list[BackendEvent]:
        text = "".join(side.parts).strip()
        item_id = side.item_id
        side.parts.clear()
        side.number += 1
        return [Transcript(item_id, Utterance(side.role, text), final=True)] if text else []

    def finish(self) -> list[BackendEvent]:
        """The session is over: what was being said."""
        return self._finish(self._caller) + self._finish(self._agent)

    # ---- time ---------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        quiet = [side.quiet_at for side in (self._caller, self._agent) if side.parts]
        silent = self._runs.next_deadline()
        return min(quiet if silent is None else [*quiet, silent], default=None)

    def handle_timeout(self, now: float) -> list[BackendEvent]:
        """Somebody paused."""
        ended = self._runs.handle_timeout(now)
        events: list[BackendEvent] = [AudioDone(ended)] if ended is not None else []
        for side in (self._caller, self._agent):
            if side.parts and now >= side.quiet_at:
                events += self._finish(side)
        return events
