"""The agent's side of a call: what the AI backend hears, and what it says on its way to the caller.

It holds no audio. Frames go on in the event that brought them; whether the caller interrupts is decided
by `gateway.media.turn_taking` from the line and from the service's word, and carried out here: playout
pauses at once, goes on after a mere "mm-hm", or is flushed; then the rest of the answer is ignored, and
the service is told how much was heard.
"""

from collections.abc import Callable, Iterable
from typing import Final

from gateway.backends import contract as ai
from gateway.calls.asides import Asides
from gateway.calls.channel import EventChannel, PlayingNews
from gateway.calls.journal import Journal
from gateway.calls.oai_requests import Key, PeerStats, RefusedEventError, Silence, Wish
from gateway.calls.own_stop import OwnStop
from gateway.calls.spoken import Cut, CutCause, Run, Spoken, Voice
from gateway.calls.unheard import UnheardTurn
from gateway.config.barge_in import BargeInConfig
from gateway.core import turn_events as turn
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId, Mark
from gateway.core.record import TimelineKind
from gateway.core.silence import DeadAir, SilenceMeter
from gateway.legs.contract import LegEvent
from gateway.media.turn_taking import TurnTaking
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag

_CONCEALED = int(HeardFlag.CONCEALED)  # an enum's own `&` takes 2 µs, too much for every frame

_MAX_UNTOLD: Final = 32
"""Wishes of a peer that may wait for the backend."""
_NO_LEG: Final = LegId(0)
_TICK_S: Final = 0.02
"""A pause takes effect at the card's next tick."""

Notify = Callable[[LegEvent | ai.BackendEvent], None]


class AgentLine:
    """Joins a voice and a backend; implements `BackendSink` and `SpokenListener`."""

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
        self.pcm_format = pcm_format
        self._journal = journal
        self._meter = journal.meter
        self._clock = clock
        self._notify = notify
        figures = journal.figures
        self.spoken = Spoken(voice, self, lambda: figures.delay_to_ear_ms, inherited=inherited)
        """What is played to the caller."""
        self._turns = TurnTaking(BargeInConfig(), pcm_format.sample_rate_hz, clock)
        self._asides = Asides(BargeInConfig())
        self.own_stop = OwnStop()
        self._silence = SilenceMeter()
        self._backend: ai.Backend | None = None
        self._send_audio: Callable[[bytes], None] | None = None
        self._gateway_turns = False
        """The service does not say when the caller speaks."""
        self._interruptible = True
        self._hear_caller = True
        self._over_agent = ""
        """The caller's turn that began while the agent was heard."""
        self._answer_due = False
        """The service has heard a turn of the caller to its end."""
        self.unheard = UnheardTurn()
        self.parked = False
        """Neither heard nor listening: somebody else talks with the caller."""
        self._untold: list[ai.ClientRequest] = []
        """Wishes of the peer while there is no backend."""
        self._channel: EventChannel | None = None
        if journal.facts.kind == "webrtc":
            self._channel = EventChannel(
                journal.figures.agent, send_text, self.wish, self._measured, clock, opened=inherited
            )

    def describe(self) -> str:
        """Who speaks for the agent, for people."""
        return self._backend.describe() if self._backend is not None else "nobody"

    @property
    def audible(self) -> bool:
        """Whether audio of the agent is still queued or playing."""
        return self.spoken.audible

    def connect(self, backend: ai.Backend, policy: BargeInConfig) -> None:
        """Let the caller's audio flow to the backend."""
        self._backend = backend
        self._send_audio = backend.send_audio
        self._gateway_turns = not backend.capabilities.turn_events
        self._interruptible = backend.capabilities.interruptible
        if not self._interruptible:
            # A full-duplex service falls silent by itself, and would not know what was flushed.
            policy = policy.model_copy(update={"action": "notify"})
        self._turns = TurnTaking(policy, self.pcm_format.sample_rate_hz, self._clock)
        self._asides = Asides(policy)
        self.own_stop = OwnStop()
        if self._journal.figures.instructions:
            backend.tell(ai.Instructions(self._journal.figures.instructions))
        untold, self._untold = self._untold, []
        for request in untold:
            self._tell(backend, request)
        if words := self.unheard.replay():
            backend.send_audio(words)

    def disconnect(self) -> None:
        """The backend is gone; what it said already goes on playing."""
        backend, self._backend, self._send_audio = self._backend, None, None
        if backend is not None:
            self._journal.figures.uplink_dropped_ms += backend.dropped_ms
        self.spoken.close_items()
        self.spoken.forget_items()
        if (silence := self._silence.end()) is not None:
            self._note_silence(silence)

    def cut(self) -> None:
        """Silence whatever is playing, prompts too. Of a prompt `PlayFinished` is told with 0 ms."""
        if self._heard:
            self._cut(None)

    def place(self, voice: Voice, *, hear_caller: bool) -> None:
        """Go on speaking elsewhere; what is playing is cut.

        hear_caller: the backend gets the frames of `on_audio`; if not, those of `on_mix`.
        """
        self._hear_caller = hear_caller
        self.unheard.listening = hear_caller
        self.spoken.move(voice)

    # ---- from the peer's page -----------------------------------------------------------------

    def wish(self, wish: Wish) -> None:
        """Carry out what the peer asks for in writing. Raises `RefusedEventError`."""
        if isinstance(wish, Silence):
            if self._heard and self._interruptible:
                self._cut(self._clock(), cause="page")
            if wish.cancel and self._backend is not None:
                self._backend.interrupt("")
            return
        if isinstance(wish, Key):
            self._journal.note(TimelineKind.DTMF_IN, digit=wish.digit, method="channel")
            self.on_key(wish.digit)
            self._notify(wire.Dtmf(_NO_LEG, wish.digit, 100, "rfc4733"))
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

    def _measured(self, stats: PeerStats) -> None:
        self._journal.figures.peer = stats

    # ---- from the caller's leg ----------------------------------------------------------------

    def on_audio(self, pcm: bytes, flags: int) -> None:
        """20 ms of the caller. Hot path."""
        turns = self._turns
        concealed = flags & _CONCEALED != 0
        heard, now, meter = self._heard, self._clock(), self._meter
        events = turns.on_frame(pcm, concealed=concealed, bot_audible=heard)
        speech = turns.speech and not concealed
        meter.caller_frame(speech, now)
        self.unheard.frame(pcm, speech)
        if (silence := self._silence.frame(meter.speaking, heard, now)) is not None:
            self._note_silence(silence)
        if self.own_stop.frame(meter.speaking, now) and self._backend is not None:
            self._journal.note(TimelineKind.NOTE, text="the service heard nothing of it: asked to go on")
            self._backend.resume()
        if self._hear_caller and self._send_audio is not None:
            self._send_audio(pcm)
        if events:
            self._take_turns(events)

    def _note_silence(self, silence: DeadAir) -> None:
        duration_ms = round(silence.duration_ms)
        at_s, after = silence.began_s, silence.after
        self._journal.note(TimelineKind.SILENCE, at_s=at_s, duration_ms=duration_ms, after=after)

    def on_mix(self, pcm: bytes) -> None:
        """20 ms of everybody but the agent, while there are more than the caller. Hot path."""
        if self._send_audio is not None:
            self._send_audio(pcm)

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
        if self._backend is None or self.parked:
            return
        self._turns.on_dtmf()
        if self._heard and self._interruptible and not self._gateway_turns:
            self._cut(self._clock(), cause="key")
        self._backend.send_dtmf(digit)

    # ---- from the backend ---------------------------------------------------------------------

    def on_backend_audio(self, item_id: str, pcm: bytes) -> None:
        """The agent speaks. Hot path."""
        meter = self._meter
        first = meter.awaits_answer and not self.spoken.knows(item_id)
        if first:
            meter.answer_came(self._clock())
            if self._gateway_turns:
                self.unheard.understood()
        if self._answer_due and not self.spoken.knows(item_id) and not self._answer_begins(item_id):
            return
        self.spoken.play_item(item_id, pcm)
        if first:
            meter.answer_passed_on(self._clock())
        self._turns.on_agent_audio(pcm, self.pcm_format.sample_rate_hz)

    def _answer_begins(self, item_id: str) -> bool:
        """The service answers the caller's turn. Whether that is to be heard."""
        self._answer_due = False
        if not self._heard or not self._interruptible or self._backend is None:
            return True
        fate = self._asides.fate(item_id, self._turns.agent_ahead_s)
        if fate == "cut":
            self._cut(self._meter.barge_in_from(self._clock()), cause="answer")
        elif fate == "drop":
            self._meter.turn_void()
            self._backend.interrupt(item_id)
            self._backend.truncate(item_id, 0)
            if self._channel is not None:
                self._channel.on_truncated(item_id, 0)
        return fate != "drop"

    def on_backend_event(self, event: ai.BackendEvent) -> None:
        """Note it, act on what concerns audio, and pass on what concerns the call."""
        journal = self._journal
        self.unheard.on_event(event)
        if self._channel is not None:
            self._channel.on_backend_event(event)
        match event:
            case ai.SpeechStarted():
                onset_s = self._meter.barge_in_from(self._clock())
                journal.note(TimelineKind.SPEECH_STARTED, at_s=onset_s)
                self._over_agent = event.item_id if self._heard else ""
                self.own_stop.service_hears(True)
                noise = self._turns.caller_unheard and not self.unheard.replayed
                self._asides.turn_began(over_agent=self._heard, noise=noise)
                self._take_turns(self._turns.on_backend_speech_started())
                self._notify(event)
            case ai.SpeechStopped():
                journal.caller_finished(event.item_id)
                self._answer_due = True
                self.own_stop.service_hears(False)
                self._take_turns(self._turns.on_backend_speech_stopped())
            case ai.ResponseStarted():
                self.own_stop.service_speaks()
                journal.note(TimelineKind.RESPONSE_STARTED)
            case ai.ResponseDone():
                # An answer that failed half-way leaves its items open.
                self.spoken.close_items()
                journal.note(TimelineKind.RESPONSE_DONE, status=event.status, detail=event.detail)
                self._notify(event)
            case ai.AudioDone():
                self.spoken.close_item(event.item_id)
            case ai.Transcript():
                if event.final and not self._asides.is_dropped(event.item_id):
                    journal.said(event.item_id, event.utterance)
                    if event.utterance.role == "caller":
                        self._words(event.item_id, event.utterance.text)
                    self._notify(event)
            case ai.ServiceNotice():
                journal.note(TimelineKind.BACKEND_NOTICE, code=event.code, message=event.message)
            case ai.ClearPlayout():
                if self._heard:
                    self._cut(None, tell=False)
            case ai.FunctionCall() | ai.HungUp() | ai.BackendLost():
                self._notify(event)

    # ---- who has the word ---------------------------------------------------------------------

    @property
    def _heard(self) -> bool:
        """Whether the caller hears something that can be cut."""
        return self.spoken.audible or self.spoken.inherited

    def _take_turns(self, events: Iterable[turn.TurnEvent]) -> None:
        journal = self._journal
        for event in events:
            match event:
                case turn.PauseBot():
                    self.spoken.pause(self._clock())
                case turn.ResumeBot():
                    self.spoken.resume(self._clock())
                    paused_ms = round(event.paused_ms)
                    journal.note(TimelineKind.AGENT_RESUMED, cause=event.cause, paused_ms=paused_ms)
                case turn.BargeIn():
                    self._cut(event.onset_s)
                    if not self._gateway_turns:
                        self.own_stop.stopped(self._clock())
                case turn.Backchannel():
                    duration_ms = round(event.duration_ms)
                    journal.note(TimelineKind.BACKCHANNEL, at_s=event.onset_s, duration_ms=duration_ms)
                case turn.TalkOver():
                    journal.note(TimelineKind.TALK_OVER, at_s=event.onset_s)
                case turn.CallerSpeechStarted():
                    self._asides.caller_speaks()
                    if self._gateway_turns:
                        journal.note(TimelineKind.SPEECH_STARTED, at_s=event.onset_s)
                case turn.CallerSpeechStopped():
                    if self._gateway_turns:
                        self._meter.turn_over(self._clock())
                        journal.note(TimelineKind.SPEECH_STOPPED, at_s=event.end_s)

    def _words(self, item_id: str, text: str) -> None:
        """The caller's words are known. If only now they stop the agent, nobody has been asked to answer."""
        self._asides.written()
        if item_id != self._over_agent:
            return
        events = self._turns.on_caller_words(text)
        self._take_turns(events)
        if self._backend is not None and any(isinstance(event, turn.BargeIn) for event in events):
            self._backend.resume()

    def _cut(self, onset_s: float | None, *, tell: bool = True, cause: CutCause = "speech") -> None:
        runs = self.spoken.cut(onset_s, tell=tell, cause=cause)
        self._turns.on_flushed()
        if self._backend is not None and tell:
            for run in runs:
                if run.item_id:
                    self._backend.interrupt(run.item_id)

    def on_silenced(self, flushed: wire.Flushed, heard_ms: int, why: Cut) -> None:
        """As `SpokenListener` says."""
        if flushed.dropped_ms <= 0 or why.onset_s is None:
            return
        silent_at_s = flushed.at_s if why.paused_at_s is None else why.paused_at_s + _TICK_S
        stop_ms = self._meter.stopped(why.onset_s, silent_at_s)
        times = {"played_ms": flushed.played_ms, "heard_ms": heard_ms, "dropped_ms": flushed.dropped_ms}
        self._journal.note(
            TimelineKind.BARGE_IN, at_s=flushed.at_s, stop_ms=round(stop_ms, 1), cause=why.cause, **times
        )

    def on_run_cut(self, run: Run, mark: Mark, heard_ms: int, why: Cut) -> None:
        """As `SpokenListener` says."""
        if not run.item_id:
            self._notify(wire.PlayFinished(_NO_LEG, mark, 0, self._clock()))
            return
        if self._backend is not None and why.tell:
            self._backend.truncate(run.item_id, heard_ms)
        if self._channel is not None:
            if run.started:
                self._channel.on_playing(run.item_id, "cleared")
            self._channel.on_truncated(run.item_id, heard_ms)

    # ---- what was played ----------------------------------------------------------------------

    def on_run_started(self, run: Run, at_s: float) -> None:
        """As `SpokenListener` says."""
        if run.item_id:
            self._journal.agent_heard(at_s)
            self._tell_page(run.item_id, "started")

    def on_run_finished(self, run: Run, event: wire.PlayFinished) -> None:
        """As `SpokenListener` says."""
        if run.item_id:
            self._journal.note(TimelineKind.AGENT_SILENT, at_s=event.at_s, played_ms=event.played_ms)
            if self._backend is not None:
                self._backend.played(run.item_id)
            self._tell_page(run.item_id, "stopped")

    def _tell_page(self, item_id: str, what: PlayingNews) -> None:
        if self._channel is not None:
            self._channel.on_playing(item_id, what)
