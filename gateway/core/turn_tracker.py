"""Follows a caller frame by frame: when they speak, and whether they interrupt. Pure.

Time is injected. In silence four loud frames that a second opinion confirms begin the caller's turn;
while the agent is heard it takes two opinions, one of them by the guarded threshold, and what that
means for the agent is decided in `interruption.py`. 300 ms without a loud frame end the turn.
"""

from collections.abc import Callable
from typing import Final

from gateway.core.interruption import Interruption, Rules
from gateway.core.line_levels import EchoGuard
from gateway.core.speech_evidence import SPEECH, Burst, Opinion, SpeechEvidence
from gateway.core.turn_events import CallerSpeechStarted, CallerSpeechStopped, TurnEvent

TURN_QUIET_S: Final = 0.3
_START_FRAMES: Final = 4
_ASK_EVERY: Final = 5
"""Frames between opinions on a burst, or on speech near the noise, where nothing is urgent."""
_DOUBT_NOISES: Final = 3.0
"""Speech less than 10 dB above the noise may be noise that the first stage sticks to."""
_KEY_S: Final = 0.25
"""How long the tone of a key may go on in the audio after its event."""
_NOTHING: Final[tuple[TurnEvent, ...]] = ()


class TurnTracker:
    """Follows one call. Call `push` for each frame, the other methods as things happen."""

    def __init__(self, rules: Rules, ask: Callable[[], Opinion]) -> None:
        """`ask` is called within `push`, about the audio up to and with its frame."""
        self._evidence = SpeechEvidence(ask)
        self._interruption = Interruption(rules, self._evidence)
        self._speaking = False
        self._last_speech_s = 0.0
        self._agent_heard = False
        self._deaf_until_s = 0.0
        self._near_noise = 0
        self._noise_is_speech = True

    @property
    def paused(self) -> bool:
        """Whether the agent waits for a decision."""
        return self._interruption.paused

    @property
    def echo(self) -> EchoGuard:
        """To be told what the agent says."""
        return self._evidence.echo

    def explains(self, now: float) -> bool:
        """Whether what the backend may take for the caller now is known to be a key, a noise or an echo."""
        return self._agent_heard and self._evidence.explains(now)

    def push(
        self, speech: bool, level: float, *, concealed: bool, bot_audible: bool, now: float
    ) -> tuple[TurnEvent, ...]:
        """One 20 ms frame that ended at `now`. Hot path.

        speech: the first stage's flag. level: RMS, full scale 32768. bot_audible: the agent has audio
        that is playing, or that waits because of a `PauseBot`.
        """
        evidence = self._evidence
        paused = self._interruption.paused
        gate = evidence.gate(level, concealed=concealed, agent_heard=bot_audible and not paused)
        events = self._agent_changed(bot_audible, now) if bot_audible != self._agent_heard else _NOTHING
        loud = speech and not concealed and level >= gate and now >= self._deaf_until_s
        if loud:
            if self._speaking and level < evidence.noise * _DOUBT_NOISES:
                loud = self._still_speech()
            if loud:
                evidence.loud(level, gate, now)
        if not loud:
            if evidence.burst is None and not self._speaking and not paused:
                return events
            evidence.quiet(now)
        if bot_audible:
            events += self._interruption.frame(loud, now)
        return events + self._turn(loud, now)

    def _agent_changed(self, bot_audible: bool, now: float) -> tuple[TurnEvent, ...]:
        self._agent_heard = bot_audible
        if bot_audible:
            self._interruption.agent_begins(now)
            return _NOTHING
        self.echo.drop_ahead()
        return self._interruption.agent_ends(now)

    def _still_speech(self) -> bool:
        if self._near_noise % _ASK_EVERY == 0 and (found := self._evidence.opinion()) is not None:
            self._noise_is_speech = found.speech >= SPEECH / 2
        self._near_noise += 1
        return self._noise_is_speech

    def _turn(self, loud: bool, now: float) -> tuple[TurnEvent, ...]:
        """Begin and end of the caller's turn."""
        if self._speaking:
            if loud:
                self._last_speech_s = now
            elif now - self._last_speech_s >= TURN_QUIET_S - 1e-6:
                self._speaking = False
                return (CallerSpeechStopped(self._last_speech_s),)
            return _NOTHING
        burst = self._evidence.burst
        if burst is None or not loud or burst.loud < _START_FRAMES or not self._certain(burst):
            return _NOTHING
        self._speaking = True
        self._last_speech_s = now
        self._near_noise = 0
        self._noise_is_speech = True
        return (CallerSpeechStarted(burst.onset_s),)

    def _certain(self, burst: Burst) -> bool:
        if self._agent_heard:
            return burst.confirmed and burst.sure
        if not burst.plain and not burst.confirmed and (burst.loud - _START_FRAMES) % _ASK_EVERY in (0, 2):
            self._evidence.consult(burst)
        return burst.plain or burst.confirmed

    # ---- what else happens --------------------------------------------------------------------

    def backend_speech_started(self, now: float) -> tuple[TurnEvent, ...]:
        """The backend heard the caller begin to speak."""
        return self._interruption.backend_started(now) if self._agent_heard else _NOTHING

    def backend_speech_stopped(self, now: float) -> tuple[TurnEvent, ...]:
        """The backend heard the caller end."""
        return self._interruption.backend_stopped(now) if self._agent_heard else _NOTHING

    def words(self, now: float) -> tuple[TurnEvent, ...]:
        """The caller's words were understood, and they want an answer."""
        return self._interruption.words(now) if self._agent_heard else _NOTHING

    def key_pressed(self, now: float) -> tuple[TurnEvent, ...]:
        """A key: an interruption by itself, and its tone is no speech."""
        self._deaf_until_s = now + _KEY_S
        self._evidence.key(self._deaf_until_s)
        return self._interruption.key(now) if self._agent_heard else _NOTHING

    def flushed(self) -> None:
        """The agent's audio was dropped, for whatever reason."""
        self.echo.drop_ahead()
        self._interruption.dropped()
        self._agent_heard = False
