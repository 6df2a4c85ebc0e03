"""The phone itself: one PJSIP endpoint, one call, driven by one thread that is also its media clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from gateway.cards.sip.contract import (
    CallState,
    DtmfMethod,
    EndpointSettings,
    Headers,
    MediaInfo,
    PjsipError,
)
from gateway.cards.sip.pjsip import Endpoint, SipCall
from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.softphone import script
from gateway.softphone.conductor import Conductor, Order, StepDone, StepFailed
from gateway.softphone.detector import SoundStarted, SoundStopped
from gateway.softphone.measure import CallLog, Utterance
from gateway.softphone.recording import StereoRecorder

CODECS: Final = ("PCMU/8000/1", "PCMA/8000/1", "G722/16000/1", "GSM/8000/1", "iLBC/8000/1", "speex/8000/1")
"""What the phone can offer, in the order it prefers."""

_TICK_S: Final = PTIME_MS / 1000
_CATCH_UP_S: Final = 0.2
"""A clock that is later than this starts anew instead of catching up."""
_GOODBYE_S: Final = 3.0
"""How long a BYE or CANCEL may take."""

Emit = Callable[[str, dict[str, object]], None]
"""Told about everything that happens: the event's name and its fields."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the phone's call went."""

    worked: bool
    """It was answered and the script came to its end."""
    problem: str = ""
    """What went wrong, empty if it worked."""


class Phone:
    """Makes one call and lets a `Conductor` lead it; also PJSIP's `CallHandler` of that call."""

    def __init__(
        self,
        settings: EndpointSettings,
        conductor: Conductor,
        log: CallLog,
        emit: Emit,
        *,
        record: bool = False,
        poll: Callable[[], None] = lambda: None,
    ) -> None:
        """`poll` is called on every tick, e.g. to read further steps."""
        self._endpoint = Endpoint(settings)
        self._port = self._endpoint.create_port()
        self._port.hear, self._port.speak = self._on_heard, self._on_wanted
        self._conductor, self._log, self._emit, self._poll = conductor, log, emit, poll
        self.recorder = StereoRecorder(PcmFormat(settings.sample_rate_hz)) if record else None
        self._call: SipCall | None = None
        self._heard = b""
        self._saying: bytes | None = None
        self._disconnected: tuple[int, str] | None = None
        self._hung_up = False
        self._given_up = False
        self._next_tick_s = 0.0

    def call(self, uri: str, *, answer_within_s: float = 30.0, headers: Headers = ()) -> Outcome:
        """Place the call, lead it to the end of the script and hang up."""
        self._log.invited_s = self._next_tick_s = time.monotonic()
        try:
            self._call = self._endpoint.dial(uri, self, self._port, headers)
        except PjsipError as exc:
            return Outcome(False, f"cannot call {uri}: {exc}")
        self._emit("calling", {"uri": uri})
        try:
            problem = self._until_answered(answer_within_s) or self._conversation()
        finally:
            self._finish()
        return Outcome(not problem, problem)

    def give_up(self) -> None:
        """Hang up at the next tick; safe to call from a signal handler."""
        self._given_up = True

    def _until_answered(self, within_s: float) -> str:
        deadline_s = time.monotonic() + within_s
        while self._log.answered_s is None:
            if self._disconnected is not None:
                status, reason = self._disconnected
                return f"the call was refused: {status} {reason}"
            if time.monotonic() >= deadline_s:
                return f"no answer within {within_s:g} s"
            if self._given_up:
                return "told to stop"
            self._turn()
        return ""

    def _conversation(self) -> str:
        try:
            while not self._conductor.done and not self._hung_up:
                if self._given_up:
                    return "told to stop"
                self._turn()
        except StepFailed as exc:
            return str(exc)
        return ""

    def _finish(self) -> None:
        deadline_s = time.monotonic() + _GOODBYE_S
        self._hang_up()
        while self._disconnected is None and time.monotonic() < deadline_s:
            self._endpoint.handle_events(PTIME_MS)

    def _turn(self) -> None:
        """Serve signalling until the next tick is due, then let 20 ms pass."""
        while (left_s := self._next_tick_s - time.monotonic()) > 0:
            self._endpoint.handle_events(int(left_s * 1000 + 0.999))
        now_s = time.monotonic()
        if now_s - self._next_tick_s > _CATCH_UP_S:
            self._next_tick_s = now_s
        self._next_tick_s += _TICK_S
        if self._log.answered_s is None:
            self._hear_early_media()
            return
        self._poll()
        self._saying = self._conductor.speak(now_s)
        self._heard = b""
        self._endpoint.tick()
        self._conductor.hear(self._heard, now_s)
        if self.recorder is not None:
            self.recorder.add(self._heard, self._saying)
        self._report()
        for order in self._conductor.take_orders():
            self._obey(order)

    def _hear_early_media(self) -> None:
        self._heard = b""
        self._endpoint.tick()
        if self.recorder is not None and self._heard:
            self.recorder.add(self._heard, None)

    def _obey(self, order: Order) -> None:
        call = self._call
        if isinstance(order, script.Hangup):
            self._hang_up()
            return
        if call is None or self._disconnected is not None:
            raise StepFailed(f"{type(order).__name__}: the far end hung up")
        try:
            match order:
                case script.PressKeys(digits):
                    call.send_dtmf(digits)
                case script.Hold(held):
                    call.hold(held)
                case _:
                    assert_never(order)
        except PjsipError as exc:
            raise StepFailed(f"{type(order).__name__}: {exc}") from exc

    def _hang_up(self) -> None:
        if self._call is None or self._disconnected is not None or self._hung_up:
            return
        self._hung_up = True
        try:
            self._call.hangup()
        except PjsipError as exc:
            self._emit("hangup_failed", {"problem": str(exc)})

    def _report(self) -> None:
        for happening in self._conductor.take_happenings():
            match happening:
                case SoundStarted(at_s):
                    self._emit("sound_started", {"since_ms": self._since_invite_ms(at_s)})
                case SoundStopped(at_s):
                    self._emit("sound_stopped", {"since_ms": self._since_invite_ms(at_s)})
                case Utterance(name, start_s, end_s):
                    span = {"from_ms": self._since_invite_ms(start_s), "to_ms": self._since_invite_ms(end_s)}
                    self._emit("said", {"name": name, **span})
                case StepDone(step):
                    self._emit("step_done", {"step": type(step).__name__.lower()})
                case _:
                    assert_never(happening)

    def _since_invite_ms(self, at_s: float) -> float:
        return round((at_s - (self._log.invited_s or 0.0)) * 1000, 1)

    # ---- from PJSIP ------------------------------------------------------------------------------

    def _on_heard(self, pcm: bytes) -> None:
        self._heard = pcm

    def _on_wanted(self) -> bytes | None:
        return self._saying

    def on_state(self, state: CallState, status: int, reason: str) -> None:
        """The call moved on."""
        if state == "early":
            self._emit("ringing", {"status": status})
        elif state in ("connecting", "confirmed") and self._log.answered_s is None:
            self._log.answered_s = time.monotonic()
            self._emit("answered", {"setup_ms": self._log.figures().setup_ms})
        elif state == "disconnected":
            self._disconnected = (status, reason)
            self._conductor.on_ended()
            by = "phone" if self._hung_up else "far_end"
            self._emit("ended", {"by": by, "status": status, "reason": reason})

    def on_media(self, media: MediaInfo) -> None:
        """Offer and answer were (re)negotiated."""
        fields: dict[str, object] = {"codec": media.codec, "ptime_ms": media.ptime_ms, "srtp": media.srtp}
        self._emit("media", {**fields, "sending": media.sending, "receiving": media.receiving})

    def on_refused(self, status: int, reason: str) -> None:
        """As `CallHandler` says; the script sees that nothing changed."""

    def on_transfer(self, status: int, reason: str, *, final: bool) -> None:
        """Never: the phone transfers nobody."""

    def on_digit(self, digit: str, duration_ms: int, method: DtmfMethod) -> None:
        """The far end pressed a key."""
        self._emit("digit", {"digit": digit, "method": method})
