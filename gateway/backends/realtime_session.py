"""One OpenAI Realtime session as a sans-IO machine: server events in, backend events and messages out.

It knows which response is running, how much of each item was received, and what was interrupted:

- after `interrupt(item)` every further delta of that item and of its response is dropped;
- `truncate` never names more milliseconds than were received (the service answers with an error);
- the service was told to cancel by itself on `speech_started`, so that `response.cancel` is sent
  only when the gateway interrupts for another reason (cancelling nothing is a harmless error, but
  noise);
- the service refuses `response.create` while it answers (and a function call comes before the end
  of its response), so that a wish for an answer waits for `response.done`. The caller's speech
  makes it pointless: the service answers that by itself, with all that was added before.
"""

from binascii import a2b_base64
from collections import OrderedDict, deque
from typing import Final, Literal, TypeVar, get_args

from gateway.backends import realtime_events as rt
from gateway.backends.contract import (
    AudioDone,
    BackendEvent,
    FunctionCall,
    ResponseDone,
    ResponseStarted,
    ServiceNotice,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    Utterance,
)
from gateway.backends.realtime_formats import RealtimeFormats
from gateway.errors import RemoteError

_T = TypeVar("_T")

_REMEMBERED: Final = 32
"""Items and responses kept in mind; older ones cannot matter any more."""

ResponseStatus = Literal["completed", "cancelled", "failed", "incomplete"]
_STATUSES: Final = frozenset(get_args(ResponseStatus))

_ROUNDING: Final = 1e-6
"""Milliseconds that sums of fractions may lack."""

_STILL_ANSWERING: Final = "conversation_already_has_active_response"
"""Error code of a `response.create` that came too early."""


class RealtimeProtocolError(RemoteError):
    """The service sent something that is not the protocol."""


class RealtimeSession:
    """State of one session."""

    def __init__(self, formats: RealtimeFormats) -> None:
        """`formats`: of the audio, which may change."""
        self._formats = formats
        self._received: OrderedDict[str, float] = OrderedDict()
        """Milliseconds of each item."""
        self._response_of: OrderedDict[str, str] = OrderedDict()
        self._muted: deque[str] = deque(maxlen=_REMEMBERED)
        self._active_response: str | None = None
        self._cancelled: str | None = None
        """The response that the service cancels, by itself or because it was told to."""
        self._asked: bytes | None = None
        """A `response.create` that was sent and has not become a response yet."""
        self._last_asked = b""
        self._wanted: bytes | None = None
        """A `response.create` that waits for the end of the running response."""
        self._due: list[bytes] = []

    @property
    def answering(self) -> bool:
        """Whether an answer is being made, or was asked for."""
        return self._active_response is not None or self._asked is not None

    @property
    def active_response(self) -> str | None:
        """The response that is being generated."""
        return self._active_response

    def audio(self, event: rt.ServerEvent) -> bytes | None:
        """Audio of a response.output_audio.delta; None when it was interrupted.

        Raises `RealtimeProtocolError` on what is not audio.
        """
        if not event.item_id:
            raise RealtimeProtocolError("audio delta without item_id")
        if event.item_id in self._muted or event.response_id in self._muted:
            return None
        try:
            data = a2b_base64(event.delta, strict_mode=True)
        except ValueError as exc:
            raise RealtimeProtocolError("audio delta is not base64") from exc
        wire = self._formats.spoken(event.response_id)
        if len(data) % wire.bytes_per_sample:
            raise RealtimeProtocolError("audio delta ends in the middle of a sample")
        duration_ms = 1000 * len(data) / (wire.bytes_per_sample * wire.sample_rate_hz)
        received = self._received.get(event.item_id)
        if received is None:
            self._remember(self._received, event.item_id, duration_ms)
            self._remember(self._response_of, event.item_id, event.response_id)
        else:
            self._received[event.item_id] = received + duration_ms
        return data

    def handle(self, event: rt.ServerEvent) -> list[BackendEvent]:
        """Any event but an audio delta; unknown types are ignored (the protocol grows).

        What has to be sent because of it, `take_due` returns. Raises `RealtimeProtocolError`.
        """
        match event.type:
            case "input_audio_buffer.speech_started":
                self._cancelled = self._active_response
                self._wanted = None
                return [SpeechStarted(event.item_id)]
            case "input_audio_buffer.speech_stopped":
                return [SpeechStopped(event.item_id)]
            case "response.created" | "response.done":
                return self._response(event)
            case "response.output_audio.done":
                muted = event.item_id in self._muted or event.response_id in self._muted
                return [] if muted else [AudioDone(event.item_id)]
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                return [Transcript(event.item_id, Utterance("agent", event.delta), final=False)]
            case "response.output_audio_transcript.done" | "response.output_text.done":
                text = event.transcript if event.transcript is not None else event.text
                return [Transcript(event.item_id, Utterance("agent", text or ""), final=True)]
            case "conversation.item.input_audio_transcription.delta":
                return [Transcript(event.item_id, Utterance("caller", event.delta), final=False)]
            case "conversation.item.input_audio_transcription.completed":
                return [Transcript(event.item_id, Utterance("caller", event.transcript or ""), final=True)]
            case "conversation.item.input_audio_transcription.failed":
                return [ServiceNotice("transcription_failed", _words(event.error))]
            case "response.function_call_arguments.done":
                return [FunctionCall(event.call_id, event.name, event.arguments or "")]
            case "error":
                code = (event.error and (event.error.code or event.error.type)) or "unknown"
                if code == _STILL_ANSWERING and self._wanted is None:
                    self._wanted = self._last_asked or None
                self._asked = None
                return [ServiceNotice(code, _words(event.error))]
        return []

    def _response(self, event: rt.ServerEvent) -> list[BackendEvent]:
        if event.response is None:
            raise RealtimeProtocolError(f"{event.type} without a response")
        response = event.response
        # Also a response that ends without having begun: one that the caller's speech overtook.
        self._asked = None
        if event.type == "response.created":
            self._active_response = response.id
            return [ResponseStarted(response.id)]
        if self._active_response == response.id:
            self._active_response = None
        if self._wanted is not None and self._active_response is None:
            self._due.append(self._ask(self._wanted))
        details = response.status_details
        detail = ""
        if details is not None:
            detail = _words(details.error) if details.error else (details.reason or details.type or "")
        status: ResponseStatus = "failed"
        for known in _STATUSES:
            if response.status == known:
                status = known
        return [ResponseDone(response.id, status, detail)]

    def take_due(self) -> list[bytes]:
        """Messages to send because of the events handled since the last call."""
        due, self._due = self._due, []
        return due

    def ask(self, instructions: str = "") -> list[bytes]:
        """Ask for an answer to what has been added: what to send now, nothing while one is being made."""
        message = rt.response_create(instructions)
        if self._active_response is not None or self._asked is not None:
            self._wanted = message
            return []
        return [self._ask(message)]

    def resume(self) -> list[bytes]:
        """Ask for an answer, if none has been asked for yet."""
        return [] if self._asked is not None else self.ask()

    def _ask(self, message: bytes) -> bytes:
        self._asked = self._last_asked = message
        self._wanted = None
        return message

    def key(self, digit: str) -> list[bytes]:
        """The caller pressed a key: a message of theirs, which takes the place of a running answer.

        The protocol has no keys.
        """
        messages = [rt.message_item(Utterance("caller", f"DTMF: {digit}"))]
        if self._active_response is not None:
            messages += self._cancel(self._active_response)
        return messages + self.ask()

    def interrupt(self, item_id: str) -> list[bytes]:
        """Ignore the rest of `item_id` and of its response; what has to be sent."""
        response_id = self._response_of.get(item_id) or self._active_response
        if item_id:
            self._muted.append(item_id)
        return self._cancel(response_id) if response_id else []

    def _cancel(self, response_id: str) -> list[bytes]:
        self._muted.append(response_id)
        if response_id != self._active_response or response_id == self._cancelled:
            return []
        self._cancelled = response_id
        return [rt.response_cancel(response_id)]

    def truncate(self, item_id: str, played_ms: int) -> list[bytes]:
        """Tell the service how much of the item was heard."""
        received = self._received.get(item_id)
        if received is None:
            return []
        return [rt.truncate(item_id, max(0, min(played_ms, int(received + _ROUNDING))))]

    @staticmethod
    def _remember(table: OrderedDict[str, _T], key: str, value: _T) -> None:
        table[key] = value
        if len(table) > _REMEMBERED:
            table.popitem(last=False)


def _words(error: rt.ErrorInfo | None) -> str:
    return (error.message or error.code or error.type or "") if error else ""
