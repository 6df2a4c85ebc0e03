"""What speaks for speech on a caller's line: loud frames, runs of them, second opinions. Pure.

A frame is *loud* when the first stage takes it for speech and it stands out of the noise and of the
agent's echo. A run of loud frames is a *burst*. A second opinion is asked for as far as the budget
goes, which refills with time; without one a burst stays unconfirmed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.line_levels import EchoGuard, NoiseFloor

FRAME_S: Final = 0.02
SPEECH: Final = 0.5
"""Probability from which an opinion is for speech."""
SPEECH_GUARDED: Final = 0.65
"""The same for stopping the agent for good."""
_SPEECH_TONAL: Final = 0.8
"""The same for one opinion to be enough where tones are heard; a hum is tones, too."""

_CLEAR_GATES: Final = 4.0
"""A burst that stands out by 12 dB more than it must is clear."""
_CLICK_FRAMES: Final = 3
_CLICK_QUIET_S: Final = 0.05
_BURST_QUIET_S: Final = 0.13
"""Silence that ends a burst: longer than those within "mm-hm" or "stop"."""
_LATEST: Final = 0b1111
_ASK_AT_ONCE: Final = 8
_ASK_LATER: Final = 5
_ROSE: Final = 3.0
"""A burst that gets louder by 10 dB at once may have become something else: a fricative a vowel."""
_ASK_AGAIN: Final = 4

_DISMISSED_AFTER: Final = 4
"""Opinions until a sound may be known to be no speech."""
_DISMISSED: Final = 0.15
"""Noise stays below this, as a rule far below."""
_KNOWN_FOR_S: Final = 0.6
"""A service speaks of a sound so much later."""
_ECHO_WINDOW: Final = (1 << 25) - 1
_ECHO_FRAMES: Final = 4
"""Of the last 25 that are louder than the noise, and no louder than an echo may be."""
_OPINIONS_AT_ONCE: Final = 24.0
_OPINIONS_PER_FRAME: Final = 0.04
"""Two a second in the long run: 0.1% of a core on a line that is never clear."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """The second opinion on the latest 160 ms."""

    speech: float
    """Probability."""
    tonal: bool
    """One or two pure tones: a key, a ring, a beep."""


@dataclass(slots=True)
class Burst:
    """A run of loud frames."""

    onset_s: float
    last_loud_s: float
    loud: int = 0
    """Frames."""
    clear: bool = False
    """Far above the noise and the echo."""
    sure: bool = False
    """An opinion was for speech by `SPEECH_GUARDED`, or the backend heard it too."""
    plain: bool = False
    """An opinion was for speech and nothing like a tone."""
    asked: int = 0
    """Opinions so far."""
    opinions: int = 0
    """The latest ones as bits, 1 for speech."""
    futile: bool = False
    """It paused the agent already, for nothing."""
    no_echo: bool = False
    """It went on while the agent paused."""
    against: int = 0
    """The latest opinions as bits, 1 for far from speech."""
    tones: int = 0
    """Opinions that found tones."""
    peak: float = 0.0
    """Level of the loudest frame."""
    ask_until: int = _ASK_AT_ONCE
    """Opinions at once."""

    @property
    def duration_s(self) -> float:
        """From its onset to its last loud frame."""
        return self.last_loud_s - self.onset_s

    @property
    def confirmed(self) -> bool:
        """Two of the latest four opinions are for speech; a tone now and then gets one."""
        return (self.opinions & _LATEST).bit_count() >= 2

    @property
    def latest_for_speech(self) -> bool:
        """Whether the latest opinion is."""
        return self.opinions & 1 == 1

    @property
    def judged(self) -> bool:
        """Whether there are opinions enough to know what it is not."""
        return self.asked >= _DISMISSED_AFTER

    @property
    def dismissed(self) -> bool:
        """Whether it is known to be no speech: a key, a tone, a noise."""
        if not self.judged or self.confirmed:
            return False
        return self.against & _LATEST == _LATEST or (not self.plain and 2 * self.tones >= self.asked)

    @property
    def wants_opinion(self) -> bool:
        """Whether to ask at this frame: at once for a while, seldom when that settled nothing."""
        return self.asked < self.ask_until or self.loud % _ASK_LATER == 0

    def note(self, opinion: Opinion) -> None:
        """An opinion on it."""
        speech = opinion.speech >= SPEECH
        self.asked += 1
        self.tones += opinion.tonal
        self.against = self.against << 1 | (opinion.speech < _DISMISSED)
        self.opinions = self.opinions << 1 | speech
        if speech:
            self.plain = self.plain or not opinion.tonal or opinion.speech >= _SPEECH_TONAL
            self.sure = self.sure or opinion.speech >= SPEECH_GUARDED


class SpeechEvidence:
    """Collects it for one call."""

    def __init__(self, ask: Callable[[], Opinion]) -> None:
        self._ask = ask
        self._floor = NoiseFloor()
        self._budget = _OPINIONS_AT_ONCE
        self._echoes = 0
        """Bits of the latest frames: audible, but no louder than an echo may be."""
        self._known_s = float("-inf")
        """When a sound ended that was known to be no speech."""
        self.echo = EchoGuard()
        self.burst: Burst | None = None
        """The burst that is going on."""

    @property
    def noise(self) -> float:
        """RMS of the line's noise."""
        return self._floor.level

    def gate(self, level: float, *, concealed: bool, agent_heard: bool) -> float:
        """Take note of a frame's level; returns the one it must have to be loud. Hot path."""
        if self._budget < _OPINIONS_AT_ONCE:
            self._budget += _OPINIONS_PER_FRAME
        echo = self.echo.push(level, agent_heard, self.burst is None and not concealed)
        noise = self._floor.gate if concealed else self._floor.push(level)
        self._echoes = (self._echoes << 1 | (noise <= level < echo)) & _ECHO_WINDOW
        return echo if echo > noise else noise

    def loud(self, level: float, gate: float, now: float) -> Burst:
        """A loud frame."""
        burst = self.burst
        if burst is None:
            burst = self.burst = Burst(now - FRAME_S, now, peak=level)
        elif level > burst.peak:
            if level >= burst.peak * _ROSE:
                burst.ask_until = burst.asked + _ASK_AGAIN
            burst.peak = level
        burst.loud += 1
        burst.last_loud_s = now
        burst.clear = burst.clear or level >= gate * _CLEAR_GATES
        return burst

    def quiet(self, now: float) -> None:
        """Another frame."""
        burst = self.burst
        if burst is None:
            return
        quiet_s = now - burst.last_loud_s
        if quiet_s >= _BURST_QUIET_S or (burst.loud < _CLICK_FRAMES and quiet_s >= _CLICK_QUIET_S):
            if burst.dismissed or burst.against == (1 << burst.asked) - 1:
                self._known_s = burst.last_loud_s
            self.burst = None

    def key(self, until_s: float) -> None:
        """A key was pressed, whose tone may be heard until then."""
        self.burst = None
        self._known_s = until_s

    def explains(self, now: float) -> bool:
        """Whether what a service may speak of now is known to be no speech: a key, a tone, noise, echo."""
        burst = self.burst
        if burst is not None:
            return burst.dismissed
        return now - self._known_s < _KNOWN_FOR_S or self._echoes.bit_count() >= _ECHO_FRAMES

    def opinion(self) -> Opinion | None:
        """A second opinion on what was just heard; None if the budget is spent."""
        if self._budget < 1:
            return None
        self._budget -= 1
        return self._ask()

    def consult(self, burst: Burst) -> Opinion | None:
        """The same, noted in the burst."""
        found = self.opinion()
        if found is not None:
            burst.note(found)
        return found
