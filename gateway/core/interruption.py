"""Whether the caller takes the word from the agent. Pure: time is injected.

    idle ── enough to pause ──> paused ── words ────────────────────────────> taken (BargeIn)
      ^                           ├── 240 ms unconfirmed, 560 without words ──> idle (ResumeBot)
      └── agent no longer heard ──┴──────────────────────────────── taken

What suffices for a pause, which can be taken back, is less than what suffices to stop for good. Words
are confirmed speech of `min_words_s`, counted from the first of bursts that follow each other ("Stop.
Please stop."), or any that goes on for 560 ms after the pause. A pause for a mere noise makes it shy:
for a while only a confirmed burst pauses again. The other actions know no pause: `taken` follows on
confirmed speech of 120 ms. The backend's word confirms what is heard, unless the gateway knows that it is
a key, a noise or the agent's echo.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from gateway.core.speech_evidence import FRAME_S, Burst, Opinion, SpeechEvidence
from gateway.core.turn_events import Backchannel, BargeIn, PauseBot, ResumeBot, TalkOver, TurnEvent

DECIDE_S: Final = 0.56
"""Longest time that the agent is kept waiting to go on; at the phone it must be no more than 0.6 s."""
_BELIEVE_S: Final = 0.6
"""What only the backend hears stops the agent for good by then."""

_GUARD_S: Final = 0.12
"""Shortest speech that stops the agent for good: its own echo may be speech for a moment."""
_CONFIRM_S: Final = 0.24
_FAINT: Final = 0.07
"""Noise, keys and tones mostly stay below this."""
_CLEAR_FRAMES: Final = 4
_LIKELY: Final = 0.15
_LIKELY_FRAMES: Final = 3
_ECHO_S: Final = 0.36
"""An echo is heard so long after the agent has paused: the ways there and back and the buffers."""
_STILL_S: Final = 0.07
"""Speech goes on if its last loud frame is not older."""
_RECHECK_FRAMES: Final = 3
_AGAIN_S: Final = 1.5
"""Bursts no further apart belong together."""
_WORDS_S: Final = 3.0
"""How much later a transcript may come."""
_SHY_S: Final = 5.0
_SHY_MAX_S: Final = 60.0
_NOTHING: Final[tuple[TurnEvent, ...]] = ()


class OnInterruption(Enum):
    """What an interruption does."""

    PAUSE = auto()
    FLUSH = auto()
    NOTIFY = auto()


@dataclass(frozen=True, slots=True)
class Rules:
    """How to decide."""

    action: OnInterruption = OnInterruption.PAUSE
    gateway_decides: bool = True
    """What is heard on the line counts."""
    backend_decides: bool = True
    """The backend's word counts."""
    min_words_s: float = 0.6
    protect_first_s: float = 0.0


class _Stage(Enum):
    IDLE = auto()
    PAUSED = auto()
    TAKEN = auto()


class Interruption:
    """Decides for one call; to be called while the agent is heard."""

    def __init__(self, rules: Rules, evidence: SpeechEvidence) -> None:
        self._rules = rules
        self._evidence = evidence
        self._stage = _Stage.IDLE
        self._began_s = 0.0
        self._protected_until_s = 0.0
        self._paused_at_s = 0.0
        self._onset_s = 0.0
        self._end_s = 0.0
        self._heard_here = False
        """A burst of the line belongs to the pause."""
        self._confirmed = False
        self._backend_heard = False
        self._earlier_onset_s = 0.0
        """Of the bursts before this one that belong together."""
        self._earlier_end_s = float("-inf")
        self._shy_until_s = 0.0
        self._shy_s = _SHY_S

    @property
    def paused(self) -> bool:
        """Whether the agent waits for a decision."""
        return self._stage is _Stage.PAUSED

    def agent_begins(self, now: float) -> None:
        """The agent is heard from now on."""
        self._stage = _Stage.IDLE
        self._backend_heard = False
        self._began_s = now
        self._protected_until_s = now + self._rules.protect_first_s

    def agent_ends(self, now: float) -> tuple[TurnEvent, ...]:
        """The agent has no more to say; a pause must not outlive that."""
        events = self._resume("backchannel" if self._confirmed else "noise", now) if self.paused else _NOTHING
        self._stage = _Stage.IDLE
        return events

    def dropped(self) -> None:
        """The agent's audio was dropped."""
        self._stage = _Stage.IDLE

    def frame(self, loud: bool, now: float) -> tuple[TurnEvent, ...]:
        """One frame, of which the evidence knows by now. Hot path."""
        burst = self._evidence.burst
        if self._stage is _Stage.PAUSED:
            return self._settle(burst, loud, now)
        if burst is None or not loud or burst.loud < 2:
            return _NOTHING
        settled = (burst.confirmed and burst.sure) or not burst.wants_opinion
        found = None if settled else self._evidence.consult(burst)
        if self._stage is _Stage.TAKEN or not self._rules.gateway_decides:
            return _NOTHING
        if now < self._protected_until_s:
            burst.no_echo = burst.confirmed and burst.duration_s >= self._rules.min_words_s
            return _NOTHING
        if self._rules.action is OnInterruption.PAUSE:
            return self._pause(burst.onset_s, now) if self._worth_a_pause(burst, found, now) else _NOTHING
        certain = burst.confirmed and burst.sure and burst.duration_s >= _GUARD_S
        return self._take(burst.onset_s) if certain else _NOTHING

    def _worth_a_pause(self, burst: Burst, found: Opinion | None, now: float) -> bool:
        if burst.judged and self._backend_vouches(now):
            return True
        if burst.confirmed:
            return burst.sure or not (burst.futile or now < self._shy_until_s)
        if burst.futile or now < self._shy_until_s:
            return False
        if burst.plain:
            return True
        if found is None or found.tonal:
            return False
        if found.speech >= _FAINT and self._follows_words(burst):
            return True
        if found.speech >= _LIKELY and burst.loud >= _LIKELY_FRAMES:
            return True
        return found.speech >= _FAINT and burst.clear and burst.loud >= _CLEAR_FRAMES

    def _settle(self, burst: Burst | None, loud: bool, now: float) -> tuple[TurnEvent, ...]:
        waited_s = now - self._paused_at_s
        if burst is None:
            return self._settle_silence(waited_s, now)
        self._heard_here = True
        if loud and (burst.wants_opinion if not burst.confirmed else burst.loud % _RECHECK_FRAMES == 0):
            self._evidence.consult(burst)
        self._end_s = burst.last_loud_s
        self._confirmed = self._confirmed or burst.confirmed
        confirmed = self._confirmed or self._backend_vouches(now)
        if not confirmed:
            in_doubt = loud and burst.latest_for_speech and waited_s < DECIDE_S - FRAME_S / 2
            if waited_s < _CONFIRM_S or in_doubt:
                return _NOTHING
            burst.futile = True
            return self._resume("noise", now)
        if self._outlasts_echo(burst) and (
            burst.last_loud_s - self._began_to_speak(burst) >= self._rules.min_words_s
        ):
            return self._take(self._onset_s)
        if waited_s < DECIDE_S - FRAME_S / 2:
            return _NOTHING
        if now - burst.last_loud_s <= _STILL_S:
            return self._take(self._onset_s)
        burst.futile = True
        return self._resume("backchannel", now)

    def _settle_silence(self, waited_s: float, now: float) -> tuple[TurnEvent, ...]:
        """Nothing is heard while the agent waits."""
        in_time = waited_s < DECIDE_S - FRAME_S / 2
        vouched = self._backend_vouches(now)
        if vouched and not self._heard_here:
            return _NOTHING if waited_s < _BELIEVE_S - FRAME_S / 2 else self._take(self._onset_s)
        if (self._confirmed or vouched) and in_time:
            # Words may go on after a breath, or be understood: the agent can wait that long.
            self._bank()
            return _NOTHING
        if not self._confirmed and waited_s < _CONFIRM_S:
            return _NOTHING  # the first sound of a word may be faint, and apart from the rest
        return self._resume("backchannel" if self._confirmed or vouched else "noise", now)

    def _backend_vouches(self, now: float) -> bool:
        """Whether the backend's word confirms the sound; not where it is known here to be none of speech."""
        return self._backend_heard and not (self._rules.gateway_decides and self._evidence.explains(now))

    def _bank(self) -> None:
        """The burst of this pause is over; one that follows soon belongs to it."""
        if self._onset_s - self._earlier_end_s >= _AGAIN_S:
            self._earlier_onset_s = self._onset_s
        self._earlier_end_s = self._end_s

    def _began_to_speak(self, burst: Burst) -> float:
        """The burst's onset, or that of one shortly before; to join it, it must be more than a click."""
        joined = self._follows_words(burst) and burst.duration_s >= _GUARD_S
        return self._earlier_onset_s if joined else burst.onset_s

    def _outlasts_echo(self, burst: Burst) -> bool:
        """Whether it went on where an echo of the agent would have died away."""
        burst.no_echo = burst.no_echo or burst.last_loud_s - self._paused_at_s >= _ECHO_S
        return burst.no_echo or self._follows_words(burst)

    def _follows_words(self, burst: Burst) -> bool:
        """Whether confirmed speech was heard shortly before."""
        return 0 <= burst.onset_s - self._earlier_end_s < _AGAIN_S

    # ---- what else tells ----------------------------------------------------------------------

    def backend_started(self, now: float) -> tuple[TurnEvent, ...]:
        """The backend heard the caller begin to speak."""
        if not self._rules.backend_decides or self._stage is _Stage.TAKEN:
            return _NOTHING
        self._backend_heard = True
        if not self._backend_vouches(now):
            return _NOTHING
        burst = self._evidence.burst
        if burst is not None:
            burst.sure = True
        if now < self._protected_until_s or self.paused:
            return _NOTHING
        onset_s = burst.onset_s if burst is not None else now
        if self._rules.action is OnInterruption.PAUSE:
            return self._pause(onset_s, now)
        return self._take(onset_s)

    def backend_stopped(self, now: float) -> tuple[TurnEvent, ...]:
        """The backend heard the caller end."""
        heard, self._backend_heard = self._backend_heard, False
        if heard and self.paused and self._evidence.burst is None:
            self._confirmed = True
            return self._resume("backchannel", now)
        return _NOTHING

    def words(self, now: float) -> tuple[TurnEvent, ...]:
        """The caller's words were understood: what the agent says is out of date.

        Only if they may be what was just said into it: transcripts of the turn that is being answered
        often come after the answer's first words.
        """
        into_it = self._earlier_end_s >= self._began_s and now - self._earlier_end_s < _WORDS_S
        if not (self.paused or into_it) or self._stage is _Stage.TAKEN:
            return _NOTHING
        if not self._rules.backend_decides or now < self._protected_until_s:
            return _NOTHING
        return self._take(self._onset_s)

    def key(self, now: float) -> tuple[TurnEvent, ...]:
        """A key interrupts whatever may be interrupted."""
        if self._stage is _Stage.TAKEN or now < self._protected_until_s:
            return _NOTHING
        return self._take(now)

    # ---- transitions --------------------------------------------------------------------------

    def _pause(self, onset_s: float, now: float) -> tuple[TurnEvent, ...]:
        self._stage = _Stage.PAUSED
        self._paused_at_s = now
        self._onset_s = self._end_s = onset_s
        self._heard_here = self._evidence.burst is not None
        self._confirmed = False
        return (PauseBot(onset_s),)

    def _resume(self, cause: str, now: float) -> tuple[TurnEvent, ...]:
        self._stage = _Stage.IDLE
        self._backend_heard = False
        self._evidence.echo.distrust()
        paused_ms = (now - self._paused_at_s) * 1000
        if cause == "noise":
            self._shy_until_s = now + self._shy_s
            self._shy_s = min(_SHY_MAX_S, self._shy_s * 2)
            return (ResumeBot("noise", paused_ms),)
        duration_s = self._end_s - self._onset_s
        self._bank()
        return (Backchannel(self._onset_s, duration_s * 1000), ResumeBot("backchannel", paused_ms))

    def _take(self, onset_s: float) -> tuple[TurnEvent, ...]:
        self._stage = _Stage.TAKEN
        self._backend_heard = False
        self._earlier_end_s = float("-inf")
        if self._rules.action is OnInterruption.NOTIFY:
            return (TalkOver(onset_s),)
        self._shy_s = _SHY_S
        return (BargeIn(onset_s),)
