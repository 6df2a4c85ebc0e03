"""The agent's side of a call: what the AI backend hears, and what it says on its way to the caller.

It holds no audio. Frames go on in the event that brought them, and the only decision taken here is
the barge-in: the service heard the caller while the agent's audio was still playing, so the playout
is flushed at once, the rest of the answer ignored, and the service told how much was heard.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import getrandbits
from typing import Final, Protocol

from gateway.backends import contract as ai
from gateway.calls.channel import EventChannel, PlayingNews
from gateway.calls.journal import Journal
from gateway.calls.oai_requests import Key, RefusedEventError, Silence, Wish
from gateway.core.audio import PcmFormat
from gateway.core.ids import Mark
from gateway.core.record import TimelineKind
from gateway.legs.contract import LegEvent
from gateway.media.vad import VoiceActivity
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag

_CONCEALED = int(HeardFlag.CONCEALED)  # an enum's own `&` takes 2 µs, too much for every frame

_MAX_UNTOLD: Final = 32
"""Wishes of a peer that may wait for the backend."""

Notify = Callable[[LegEvent | ai.BackendEvent], None]


@dataclass(slots=True)
class _Playing:
    """One item of the agent on its way through the playout buffer."""

    item_id: str
    """Empty for a prompt of our own."""
    started: bool = False
    closed: bool = False
    """The card knows that nothing more follows."""
    finished: bool = False
    """Heard to its end."""


class Voice(Protocol):
    """Where the agent's audio is played: the caller's leg, or a place in a mix of several parties."""

    def play(self, pcm: bytes, mark: Mark, *, last: bool = False) -> None:
        """As `Leg.play`."""

    def flush(self) -> Awaitable[wire.Flushed]:
        """As `Leg.flush`."""


class VoiceTap(Protocol):
    """Follows what the voice plays."""

    def queued(self, mark: Mark, pcm: bytes) -> None:
        """Audio that will be played under a mark."""

    def started(self, mark: Mark, at_s: float) -> None:
        """It is being played."""

    def cut(self, at_s: float) -> None:
        """What has not been played by then never will be."""


class AgentLine:
    """Joins a voice and a backend; implements `BackendSink`."""

    def __init__(
        self,
        voice: Voice,
        pcm_format: PcmFormat,
        journal: Journal,
        clock: Callable[[], float],
        notify: Notify,
        send_text: Callable[[str], None],
        *,
        inherited: bool = False,
    ) -> None:
        """`pcm_format`: of the caller's leg. `send_text`: to the peer's page.

        `inherited`: the leg may still be playing what an earlier core gave it.
        """
        self._voice = voice
        self.pcm_format = pcm_format
        self._journal = journal
        self._meter = journal.meter
        self._clock = clock
        self._notify = notify
        self._vad = VoiceActivity(pcm_format.sample_rate_hz)
        self._backend: ai.Backend | None = None
        self._send_audio: Callable[[bytes], None] | None = None
        # A restarted core must not reuse marks that the card may still be playing.
        self._next_mark = getrandbits(31)
        self._playing: dict[Mark, _Playing] = {}
        self._silencing: dict[Mark, _Playing] = {}
        """Interrupted items until the card has said what was heard."""
        self._mark_of: dict[str, Mark] = {}
        self._inherited = inherited
        self._hear_caller = True
        self.parked = False
        """Neither heard nor listening: somebody else talks with the caller."""
        self.tap: VoiceTap | None = None
        """A recording."""
        self._flushing: set[asyncio.Future[wire.Flushed]] = set()
        self._untold: list[ai.ClientRequest] = []
        """Wishes of the peer while there is no backend."""
        self._channel: EventChannel | None = None
        if journal.facts.kind == "webrtc":
            self._channel = EventChannel(journal.figures.agent, send_text, self.wish, clock, opened=inherited)

    def describe(self) -> str:
        """Who speaks for the agent, for people."""
        return self._backend.describe() if self._backend is not None else "nobody"

    @property
    def audible(self) -> bool:
        """Whether audio of the agent is still queued or playing."""
        return bool(self._playing)

    def connect(self, backend: ai.Backend) -> None:
        """Let the caller's audio flow to the backend."""
        self._backend = backend
        self._send_audio = backend.send_audio
        if self._journal.figures.instructions:
            backend.tell(ai.Instructions(self._journal.figures.instructions))
        untold, self._untold = self._untold, []
        for request in untold:
            self._tell(backend, request)

    def disconnect(self) -> None:
        """The backend is gone; what it said already goes on playing."""
        backend, self._backend, self._send_audio = self._backend, None, None
        if backend is not None:
            self._journal.figures.uplink_dropped_ms += backend.dropped_ms
        self._close_marks()
        self._mark_of.clear()

    def _close_marks(self, only: Mark | None = None) -> None:
        """Tell the card that nothing more follows for what is playing."""
        for mark, playing in self._playing.items():
            if not playing.closed and only in (None, mark):
                playing.closed = True
                self._voice.play(b"", mark, last=True)

    def play_prompt(self, pcm: bytes) -> Mark:
        """Play one of our own prompts after what is queued; `PlayFinished` names the mark."""
        mark = self.new_mark()
        self._playing[mark] = _Playing("", closed=True)
        if self.tap is not None:
            self.tap.queued(mark, pcm)
        self._voice.play(pcm, mark, last=True)
        return mark

    def cut(self) -> None:
        """Silence whatever is playing, prompts too. Of a prompt `PlayFinished` is told with 0 ms."""
        if self._playing or self._inherited:
            self._barge_in(None)

    def place(self, voice: Voice, *, hear_caller: bool) -> None:
        """Go on speaking elsewhere; what is playing is cut.

        hear_caller: the backend gets the frames of `on_audio`; if not, those of `on_mix`.
        """
        self._hear_caller = hear_caller
        if voice is not self._voice:
            self.cut()
            self._voice = voice

    def new_mark(self) -> Mark:
        """A label that is not in use."""
        self._next_mark = self._next_mark % 0xFFFFFFFF + 1
        return Mark(self._next_mark)

    # ---- from the peer's page -----------------------------------------------------------------

    def wish(self, wish: Wish) -> None:
        """Carry out what the peer asks for in writing. Raises `RefusedEventError`."""
        if isinstance(wish, Silence):
            self._silence(cancel=wish.cancel)
            return
        if isinstance(wish, Key):
            self._journal.note(TimelineKind.DTMF_IN, digit=wish.digit, method="channel")
            self.on_key(wish.digit)
            return
        if isinstance(wish, ai.Instructions):
            self._journal.figures.instructions = wish.text
        if self._backend is not None:
            self._tell(self._backend, wish)
        elif not isinstance(wish, ai.Instructions | ai.ForgetInput):
            if len(self._untold) >= _MAX_UNTOLD:
                raise RefusedEventError("session_not_ready", "the agent is not connected yet")
            self._untold.append(wish)

    def _tell(self, backend: ai.Backend, request: ai.ClientRequest) -> None:
        if isinstance(request, ai.UserText):
            self._journal.said(request.item_id, ai.Utterance("caller", request.text))
        backend.tell(request)

    def _silence(self, *, cancel: bool) -> None:
        if self._playing or self._inherited:
            self._barge_in(self._clock())
        if cancel and self._backend is not None:
            self._backend.interrupt("")

    # ---- from the caller's leg ----------------------------------------------------------------

    def on_audio(self, pcm: bytes, flags: int) -> None:
        """20 ms of the caller. Hot path."""
        speech = not flags & _CONCEALED and self._vad.is_speech(pcm)
        self._meter.caller_frame(speech, self._clock())
        if self._hear_caller and self._send_audio is not None:
            self._send_audio(pcm)

    def on_mix(self, pcm: bytes) -> None:
        """20 ms of everybody but the agent, while there are more than the caller. Hot path."""
        if self._send_audio is not None:
            self._send_audio(pcm)

    def on_played(self, event: wire.PlayStarted | wire.PlayFinished) -> None:
        """The voice has begun or finished a run of audio."""
        if isinstance(event, wire.PlayStarted):
            self._started(event)
        else:
            self._finished(event)

    def on_channel(self, event: wire.ChannelOpened | wire.ChannelText) -> None:
        """The peer's page."""
        if self._channel is None:
            return
        if isinstance(event, wire.ChannelOpened):
            self._channel.on_opened()
        else:
            self._channel.on_text(event.text)

    def on_key(self, digit: str) -> None:
        """The caller pressed a key; it interrupts the agent."""
        if self._backend is None or not self._hear_caller:
            return
        if self._playing or self._inherited:
            self._barge_in(self._clock())
        self._backend.send_dtmf(digit)

    def _started(self, event: wire.PlayStarted) -> None:
        playing = self._playing.get(event.mark) or self._silencing.get(event.mark)
        if playing is not None and not playing.started:
            playing.started = True
            if self.tap is not None:
                self.tap.started(event.mark, event.at_s)
            if playing.item_id:
                self._journal.agent_heard(event.at_s)
                self._tell_page(playing.item_id, "started")

    def _finished(self, event: wire.PlayFinished) -> None:
        playing = self._playing.pop(event.mark, None)
        if playing is None:
            # An interruption may cross the end of what it interrupts on the way to the card.
            playing = self._silencing.get(event.mark)
        if playing is None or playing.finished:
            return
        playing.finished = True
        if playing.item_id:
            if self._mark_of.get(playing.item_id) == event.mark:
                del self._mark_of[playing.item_id]
            self._journal.note(TimelineKind.AGENT_SILENT, at_s=event.at_s, played_ms=event.played_ms)
            if self._backend is not None:
                self._backend.played(playing.item_id)
            self._tell_page(playing.item_id, "stopped")

    def _tell_page(self, item_id: str, what: PlayingNews) -> None:
        if self._channel is not None:
            self._channel.on_playing(item_id, what)

    # ---- from the backend ---------------------------------------------------------------------

    def on_backend_audio(self, item_id: str, pcm: bytes) -> None:
        """The agent speaks. Hot path."""
        mark = self._mark_of.get(item_id)
        if mark is None:
            mark = self.new_mark()
            self._mark_of[item_id] = mark
            self._playing[mark] = _Playing(item_id)
        if self.tap is not None:
            self.tap.queued(mark, pcm)
        self._voice.play(pcm, mark)

    def on_backend_event(self, event: ai.BackendEvent) -> None:
        """Note it, act on what concerns audio, and pass on what concerns the call."""
        journal = self._journal
        if self._channel is not None:
            self._channel.on_backend_event(event)
        match event:
            case ai.SpeechStarted():
                now = self._clock()
                onset_at = self._meter.barge_in_from(now)
                journal.note(TimelineKind.SPEECH_STARTED, at_s=onset_at)
                if self._playing or self._inherited:
                    self._barge_in(onset_at)
                self._notify(event)
            case ai.SpeechStopped():
                journal.caller_finished(event.item_id)
            case ai.ResponseStarted():
                journal.note(TimelineKind.RESPONSE_STARTED)
            case ai.ResponseDone():
                # An answer that failed half-way leaves its items open.
                self._close_marks()
                journal.note(TimelineKind.RESPONSE_DONE, status=event.status, detail=event.detail)
                self._notify(event)
            case ai.AudioDone():
                mark = self._mark_of.get(event.item_id)
                if mark is not None:
                    self._close_marks(mark)
            case ai.Transcript():
                if event.final:
                    journal.said(event.item_id, event.utterance)
                    self._notify(event)
            case ai.ServiceNotice():
                journal.note(TimelineKind.BACKEND_NOTICE, code=event.code, message=event.message)
            case ai.ClearPlayout():
                if self._playing or self._inherited:
                    self._barge_in(None, tell=False)
            case ai.FunctionCall() | ai.HungUp() | ai.BackendLost():
                self._notify(event)

    # ---- barge-in -----------------------------------------------------------------------------

    def _barge_in(self, onset_at: float | None, *, tell: bool = True) -> None:
        """Silence the agent now; the card's answer says how much was heard.

        onset_at: when the caller began; None if it is not the caller who interrupts. tell: the service.
        """
        interrupted, self._playing = self._playing, {}
        self._silencing |= interrupted
        self._mark_of.clear()
        self._inherited = False
        flushed = asyncio.ensure_future(self._voice.flush())
        self._flushing.add(flushed)

        def on_flushed(done: asyncio.Future[wire.Flushed]) -> None:
            self._flushing.discard(done)
            for mark in interrupted:
                del self._silencing[mark]
            if not done.cancelled():
                self._silenced(done.result(), interrupted, onset_at, self._backend if tell else None)

        flushed.add_done_callback(on_flushed)
        if self._backend is not None and tell:
            for playing in interrupted.values():
                if playing.item_id:
                    self._backend.interrupt(playing.item_id)

    def _silenced(
        self,
        flushed: wire.Flushed,
        interrupted: dict[Mark, _Playing],
        onset_at: float | None,
        backend: ai.Backend | None,
    ) -> None:
        if self.tap is not None and flushed.dropped_ms > 0:
            self.tap.cut(flushed.at_s)
        if flushed.dropped_ms > 0 and onset_at is not None:
            stop_ms = self._meter.stopped(onset_at, flushed.at_s)
            self._journal.note(
                TimelineKind.BARGE_IN,
                at_s=flushed.at_s,
                stop_ms=round(stop_ms, 1),
                played_ms=flushed.played_ms,
                dropped_ms=flushed.dropped_ms,
            )
        for mark, playing in interrupted.items():
            if playing.finished:
                continue
            if playing.item_id:
                heard_ms = flushed.played_ms if mark == flushed.mark else 0
                self._truncate(playing, heard_ms, backend)
            else:
                self._notify(wire.PlayFinished(flushed.leg, mark, 0, flushed.at_s))

    def _truncate(self, playing: _Playing, heard_ms: int, backend: ai.Backend | None) -> None:
        if backend is not None:
            backend.truncate(playing.item_id, heard_ms)
        if self._channel is not None:
            if playing.started:
                self._channel.on_playing(playing.item_id, "cleared")
            self._channel.on_truncated(playing.item_id, heard_ms)
