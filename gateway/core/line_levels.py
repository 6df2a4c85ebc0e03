"""How loud a sound on the line must be to come from the caller: above the noise, above the echo. Pure.

Levels are RMS of 20 ms frames, full scale 32768; one call per frame.
"""

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

_FLOOR_BLOCK: Final = 40
"""Frames (800 ms) whose quietest is the noise; the lower of the last two blocks counts."""
_ABOVE_FLOOR: Final = 2.5
"""8 dB above the quietest frame is about 6 dB above steady noise."""
_QUIETEST: Final = 60.0
"""−55 dBFS: below any voice on a phone line."""
_LOUDEST_GATE: Final = 1500.0
"""−27 dBFS: whoever speaks into a phone is louder than that even over a terrible line."""

_ECHO_WINDOW: Final = 25
"""Frames (500 ms) in which what was played may come back."""
_ECHO_ASSUMED: Final = 0.1
"""−20 dB: the loudest echo that is put up with, and what is assumed at first."""
_ECHO_MARGIN: Final = 2.0
"""6 dB above what has come back so far."""
_LEARN_BLOCK: Final = 40
"""Loud frames (800 ms) of the agent after which the echo's level is believed."""
_AGENT_LOUD: Final = 330.0
"""−40 dBFS: quieter passages teach nothing about the echo."""
_AGENT_UNKNOWN: Final = 6500.0
"""−14 dBFS: loud passages of levelled speech, for an agent whose audio was not shown."""
_AHEAD_MAX: Final = 6000
"""Frames (two minutes) of the agent's audio whose levels are kept ahead of being played."""


class NoiseFloor:
    """Follows the quietest frames of the line."""

    def __init__(self) -> None:
        self._now = self._before = inf
        self._frames = 0

    @property
    def level(self) -> float:
        """The noise between the words."""
        return min(self._now, self._before, _LOUDEST_GATE)

    @property
    def gate(self) -> float:
        """The level from which a sound stands out of it."""
        return max(_QUIETEST, min(_LOUDEST_GATE, self._now * _ABOVE_FLOOR, self._before * _ABOVE_FLOOR))

    def push(self, level: float) -> float:
        """One frame; returns the gate. Hot path."""
        if level < self._now:
            self._now = level
        self._frames += 1
        if self._frames >= _FLOOR_BLOCK:
            self._frames = 0
            self._before, self._now = self._now, level
        lower = self._now if self._now < self._before else self._before
        gate = lower * _ABOVE_FLOOR
        if gate < _QUIETEST:
            return _QUIETEST
        return gate if gate < _LOUDEST_GATE else _LOUDEST_GATE


class EchoGuard:
    """Knows how loud the agent's own voice may come back.

    The agent's audio arrives ahead of real time and is played in order, a frame per frame heard, so
    that a queue of its levels tells what is being played now, to within the delay of the playout.
    """

    def __init__(self) -> None:
        self._ahead: deque[float] = deque(maxlen=_AHEAD_MAX)
        self._shown = False
        self._recent: deque[float] = deque([0.0] * _ECHO_WINDOW, maxlen=_ECHO_WINDOW)
        self._loudest = 0.0
        self._ratio = _ECHO_ASSUMED
        self._block_peak = self._last_peak = 0.0
        self._block_frames = 0

    def agent_levels(self, levels: Iterable[float]) -> None:
        """Levels of the next 20 ms frames that the agent will be heard with."""
        self._shown = True
        self._ahead.extend(levels)

    @property
    def ahead_frames(self) -> int:
        """Frames of the agent that have not been played."""
        return len(self._ahead)

    def distrust(self) -> None:
        """The agent was stopped for nothing: what has been learnt may be wrong, an echo may have begun."""
        self._ratio = _ECHO_ASSUMED
        self._block_peak = self._last_peak = 0.0
        self._block_frames = 0

    def drop_ahead(self) -> None:
        """What has not been played never will be."""
        self._ahead.clear()

    def push(self, level: float, bot_audible: bool, teaches: bool) -> float:
        """One frame of the caller; returns the level that no echo reaches, 0 if none can be.

        teaches: the caller is known to be silent, so that what is heard is echo and noise.
        """
        self._follow_agent(bot_audible)
        loudest = self._loudest
        if loudest == 0.0:
            return 0.0
        if teaches and self._shown and loudest > _AGENT_LOUD:
            self._learn(level / loudest)
        return loudest * self._ratio

    def _follow_agent(self, bot_audible: bool) -> None:
        if not bot_audible:
            played = 0.0
        elif self._ahead:
            played = self._ahead.popleft()
        else:
            played = 0.0 if self._shown else _AGENT_UNKNOWN
        recent = self._recent
        leaving = recent[0]
        recent.append(played)
        if played >= self._loudest:
            self._loudest = played
        elif leaving >= self._loudest:
            self._loudest = max(recent)

    def _learn(self, ratio: float) -> None:
        if ratio > self._block_peak:
            self._block_peak = ratio
        self._block_frames += 1
        if self._block_frames >= _LEARN_BLOCK:
            self._ratio = min(_ECHO_ASSUMED, max(self._block_peak, self._last_peak) * _ECHO_MARGIN)
            self._last_peak, self._block_peak, self._block_frames = self._block_peak, 0.0, 0
