"""One Realtime session as a sans-IO machine: client events in, server events out, time injected.

`handle` never raises for anything a client can send: what cannot be done becomes an `error` event
and changes nothing else. Items and responses are reported in the order of the real service:
committed → item added/done → transcription → response.created → output item → deltas → done.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from gateway.bot import protocol as rt
from gateway.bot.answering import Answering, FindSpeechAt
from gateway.bot.dialogue import Conversation
from gateway.bot.ear import Ear, EarEvent, TurnEnded, TurnStarted
from gateway.bot.items import Items, created_item
from gateway.bot.protocol import ProtocolError, ServerEvent
from gateway.bot.response import NewId
from gateway.bot.settings import Settings, update

TRANSCRIBER: Final = "pocketsphinx"
_PORTION_MS: Final = 200
"""Audio that is worked off in one go."""
COMMIT_MIN_MS: Final = 100
"""Less audio than this cannot be committed."""


class Session:
    """State of one client's session."""

    def __init__(
        self, conversation: Conversation, ear: Ear, find: FindSpeechAt, new_id: NewId, *, model: str
    ) -> None:
        """find: speech that is at hand. new_id: fresh id with a prefix. model: name the client asked for."""
        self._new_id = new_id
        self._model = model
        self._settings = Settings(transcription={"model": TRANSCRIBER})
        self._items = Items()
        self._ear = ear
        self._answering = Answering(conversation, find, new_id)
        self._conversation_id = new_id("conv")
        self._turn_item: str | None = None
        self._answer_after = False
        self._idle_since: float | None = None
        self.id = new_id("sess")
        self._configure_ear()

    def start(self) -> list[ServerEvent]:
        """The first event."""
        return self._stamped([_event("session.created", session=self._described())])

    def handle(self, message: str | bytes, now: float) -> Iterator[list[ServerEvent]]:
        """One message of the client; yields what to send, in portions, as audio is worked off."""
        try:
            event = rt.decode(message)
            for events in self._handle(event, now):
                yield self._stamped(events)
        except ProtocolError as exc:
            yield self._stamped([_error(exc, rt.event_id_of(message))])

    def handle_timeout(self, now: float) -> list[ServerEvent]:
        """What is due: more of an answer, or a question after long silence."""
        events = self._progress(self._answering.advance(now), now)
        idle_at = self._idle_deadline
        if idle_at is not None and now >= idle_at:
            events += self._idle(now)
        return self._stamped(events)

    @property
    def behind(self) -> bool:
        """Whether `hear_early` has something to do."""
        return self._ear.behind

    def hear_early(self, now: float) -> list[ServerEvent]:
        """A portion of the audio that came before the ear could hear."""
        events: list[ServerEvent] = []
        for event in self._ear.hear_early(grammar=self._answering.grammar):
            events += self._turn(event, now)
        return self._stamped(events)

    def speech_failed(self, now: float) -> list[ServerEvent]:
        """The wanted speech cannot be synthesised."""
        return self._stamped(self._progress(self._answering.speech_failed(), now))

    @property
    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        due = [t for t in (self._answering.next_deadline, self._idle_deadline) if t is not None]
        return min(due, default=None)

    @property
    def wanted_speech(self) -> tuple[str, int] | None:
        """Sentence and sample rate to synthesise; then call `handle_timeout` or `speech_failed`."""
        return self._answering.wanted_speech

    def close(self) -> None:
        """Give back what is shared with other sessions."""
        self._ear.clear()

    # ---- client events --------------------------------------------------------------------------

    def _handle(self, event: rt.ClientEvent, now: float) -> Iterator[list[ServerEvent]]:
        match event:
            case rt.AudioAppend():
                yield from self._audio(event.audio, now)
            case rt.AudioCommit():
                yield self._commit(now)
            case rt.AudioClear():
                self._ear.clear()
                self._turn_item = None
                yield [_event("input_audio_buffer.cleared")]
            case rt.ResponseCreate():
                yield self._create_response(event.response, now)
            case rt.ResponseCancel():
                yield self._cancel_response(event.response_id, now)
            case rt.SessionUpdate():
                yield self._update(event.session)
            case _:
                yield self._item_event(event)

    def _update(self, session: dict[str, Any]) -> list[ServerEvent]:
        before = self._settings
        self._settings = update(before, session)
        changed = (before.input_format, before.turn_detection) != (
            self._settings.input_format,
            self._settings.turn_detection,
        )
        if changed:
            self._configure_ear()
        return [_event("session.updated", session=self._described())]

    def _configure_ear(self) -> None:
        self._ear.configure(self._settings.input_format, self._settings.turn_detection)

    def _item_event(
        self, event: rt.ItemCreate | rt.ItemTruncate | rt.ItemDelete | rt.ItemRetrieve
    ) -> list[ServerEvent]:
        match event:
            case rt.ItemCreate():
                return self._create_item(event)
            case rt.ItemTruncate():
                if event.item_id == self._answering.item_id and self._answering.active:
                    self._items.heard_audio(event.item_id, self._answering.sent_ms)
                self._items.truncate(event.item_id, event.content_index, event.audio_end_ms)
                self._answering.truncated(event.item_id, event.audio_end_ms)
                return [
                    _event(
                        "conversation.item.truncated",
                        item_id=event.item_id,
                        content_index=event.content_index,
                        audio_end_ms=event.audio_end_ms,
                    )
                ]
            case rt.ItemDelete():
                self._items.delete(event.item_id)
                return [_event("conversation.item.deleted", item_id=event.item_id)]
            case rt.ItemRetrieve():
                return [_event("conversation.item.retrieved", item=self._items.get(event.item_id))]

    def _create_item(self, event: rt.ItemCreate) -> list[ServerEvent]:
        item = created_item(event.item, event.item.id or self._new_id("item"))
        previous = self._items.add(item, event.previous_item_id)
        words = " ".join(part.words for part in event.item.content)
        if event.item.role == "user":
            self._answering.caller_said(words)
        elif event.item.role == "assistant":
            self._answering.already_answered()
        elif event.item.type == "function_call_output":
            self._answering.tool_answered(event.item.output or "")
        return _added(item, previous)

    def _create_response(self, options: rt.ResponseOptions | None, now: float) -> list[ServerEvent]:
        options = options or rt.ResponseOptions()
        if options.conversation not in (None, "auto") or options.input is not None:
            raise ProtocolError(
                "invalid_value",
                "Only responses to the default conversation are served.",
                param="response.conversation" if options.conversation else "response.input",
            )
        if options.output_modalities not in (None, ["audio"]):
            raise ProtocolError(
                "invalid_value", "Only ['audio'] is served.", param="response.output_modalities"
            )
        if self._answering.active:
            raise ProtocolError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._answering.active_id}.",
            )
        return self._respond(now, options.metadata)

    def _cancel_response(self, response_id: str | None, now: float) -> list[ServerEvent]:
        active = self._answering.active_id
        if active is None or (response_id is not None and response_id != active):
            raise ProtocolError("response_cancel_not_active", "Cancellation failed: no active response found")
        return self._progress(self._answering.cancel("client_cancelled"), now)

    # ---- the caller's turns ---------------------------------------------------------------------

    def _audio(self, data: bytes, now: float) -> Iterator[list[ServerEvent]]:
        step = self._settings.input_format.sample_rate_hz * self._settings.input_format.bytes_per_sample
        step = step * _PORTION_MS // 1000
        for start in range(0, len(data), step):
            guarded = self._answering.is_heard(now)
            part = data[start : start + step]
            for event in self._ear.feed(part, grammar=self._answering.grammar, guarded=guarded):
                yield self._turn(event, now)
            if len(data) > step:
                yield []

    def _turn(self, event: EarEvent, now: float) -> list[ServerEvent]:
        if isinstance(event, TurnStarted):
            return self._turn_started(event, now)
        item_id = self._turn_item or self._new_id("item")
        events = [
            _event("input_audio_buffer.speech_stopped", audio_end_ms=event.audio_end_ms, item_id=item_id)
        ]
        events += self._committed(event, item_id)
        detection = self._settings.turn_detection
        if detection is not None and detection.create_response:
            if self._answering.active:
                self._answer_after = True
            else:
                events += self._respond(now)
        return events

    def _turn_started(self, event: TurnStarted, now: float) -> list[ServerEvent]:
        self._turn_item = self._new_id("item")
        self._idle_since = None
        events = [
            _event(
                "input_audio_buffer.speech_started",
                audio_start_ms=event.audio_start_ms,
                item_id=self._turn_item,
            )
        ]
        detection = self._settings.turn_detection
        if detection is not None and detection.interrupt_response:
            self._answering.interrupted(now)
            if self._answering.active:
                events += self._progress(self._answering.cancel("turn_detected"), now)
        return events

    def _committed(self, turn: TurnEnded, item_id: str) -> list[ServerEvent]:
        self._turn_item = None
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        previous = self._items.add(item)
        self._items.replace(item | {"content": [{"type": "input_audio", "transcript": turn.text}]})
        self._answering.caller_said(turn.text)
        events = [
            _event("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id),
            *_added(item, previous),
        ]
        if self._settings.transcription is not None:
            usage = {"type": "duration", "seconds": turn.duration_ms / 1000}
            events.append(
                _event(
                    "conversation.item.input_audio_transcription.completed",
                    item_id=item_id,
                    content_index=0,
                    transcript=turn.text,
                    usage=usage,
                )
            )
        return events

    def _commit(self, now: float) -> list[ServerEvent]:
        if not self._ear.speaking and self._ear.buffered_ms < COMMIT_MIN_MS:
            raise ProtocolError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {self._ear.buffered_ms:.2f}ms of audio.",
            )
        item_id = self._turn_item or self._new_id("item")
        return self._committed(self._ear.commit(), item_id)

    # ---- answers --------------------------------------------------------------------------------

    def _respond(self, now: float, metadata: dict[str, str] | None = None) -> list[ServerEvent]:
        events = self._answering.respond(
            self._settings, now, conversation_id=self._conversation_id, metadata=metadata
        )
        return self._progress(events, now)

    def _progress(self, events: Sequence[ServerEvent], now: float) -> list[ServerEvent]:
        """Put the items of a response into the conversation as they come."""
        out: list[ServerEvent] = []
        for event in events:
            kind = event["type"]
            if kind == "response.output_item.added":
                previous = self._items.add(event["item"])
                added = _event("conversation.item.added", previous_item_id=previous, item=event["item"])
                out += [event, added]
            elif kind == "response.output_item.done":
                out += [self._item_done(event["item"]), event]
            else:
                out.append(event)
            if kind == "response.done":
                self._idle_since = now
                if self._answer_after:
                    self._answer_after = False
                    out += self._respond(now)
        return out

    def _item_done(self, item: dict[str, Any]) -> ServerEvent:
        self._items.replace(item)
        if item["id"] == self._answering.item_id and self._answering.sent_ms:
            self._items.heard_audio(item["id"], self._answering.sent_ms)
        return _event("conversation.item.done", item=item)

    @property
    def _idle_deadline(self) -> float | None:
        detection = self._settings.turn_detection
        busy = self._idle_since is None or self._ear.speaking or self._answering.active
        if busy or detection is None or detection.idle_timeout_ms is None or self._idle_since is None:
            return None
        since = max(self._idle_since, self._answering.playing_until or self._idle_since)
        return since + detection.idle_timeout_ms / 1000

    def _idle(self, now: float) -> list[ServerEvent]:
        """Nobody has spoken for a long time: ask again."""
        self._idle_since = None
        turn = self._ear.commit()
        item_id = self._new_id("item")
        triggered = _event(
            "input_audio_buffer.timeout_triggered",
            item_id=item_id,
            audio_start_ms=turn.audio_end_ms - turn.duration_ms,
            audio_end_ms=turn.audio_end_ms,
        )
        return [triggered, *self._committed(turn, item_id), *self._respond(now)]

    # ---- shapes ---------------------------------------------------------------------------------

    def _described(self) -> dict[str, Any]:
        return self._settings.describe(self.id, self._model)

    def _stamped(self, events: Sequence[ServerEvent]) -> list[ServerEvent]:
        return [{"event_id": self._new_id("event"), **event} for event in events]


def _event(kind: str, **fields: Any) -> ServerEvent:
    return {"type": kind, **fields}


def _added(item: dict[str, Any], previous: str | None) -> list[ServerEvent]:
    fields: dict[str, Any] = {"previous_item_id": previous, "item": item}
    return [_event("conversation.item.added", **fields), _event("conversation.item.done", **fields)]


def _error(error: ProtocolError, event_id: str | None) -> ServerEvent:
    return _event(
        "error",
        error={
            "type": "invalid_request_error",
            "code": error.code,
            "message": str(error),
            "param": error.param,
            "event_id": event_id,
        },
    )
