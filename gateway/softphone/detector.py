"""When somebody is audible: an energy detector over 20 ms frames. Pure; the caller gives the time.

It is no speech detector: whatever is louder than the threshold counts, which is right for
measuring against a line that is digitally silent between utterances.
"""

import math
from dataclasses import dataclass

import numpy as np

from gateway.core.audio import PTIME_MS

_FULL_SCALE = 32768.0
_FRAME_S = PTIME_MS / 1000


def level_dbfs(pcm: bytes) -> float:
    """RMS level of signed 16-bit PCM in dB relative to full scale; -inf for digital silence."""
    if not pcm:
        return -math.inf
    samples = np.frombuffer(pcm, dtype=np.int16).astype(np.float64)
    rms = math.sqrt(float(np.dot(samples, samples)) / samples.size)
    return 20 * math.log10(rms / _FULL_SCALE) if rms > 0 else -math.inf


@dataclass(frozen=True, slots=True)
class SoundStarted:
    """The line became audible."""

    at_s: float
    """Time of the first loud frame."""


@dataclass(frozen=True, slots=True)
class SoundStopped:
    """The line went quiet and stayed so for the detector's hang time."""

    at_s: float
    """End of the last loud frame."""


SoundEvent = SoundStarted | SoundStopped


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """What counts as sound."""

    threshold_dbfs: float = -42.0
    """A frame at or above this level is loud."""
    onset_frames: int = 2
    """Loud frames within `onset_window_s` that make a sound; one alone is a click."""
    onset_window_s: float = 0.1
    """Window of `onset_frames`."""
    hang_s: float = 0.4
    """Quiet for this long ends a sound; shorter gaps are pauses between words."""


class SoundDetector:
    """Turns frames into `SoundStarted` and `SoundStopped`."""

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self._settings = settings or DetectorSettings()
        self._recent: list[float] = []
        self._sounding = False
        self._last_loud_s = -math.inf

    @property
    def sounding(self) -> bool:
        """True from a `SoundStarted` to its `SoundStopped`."""
        return self._sounding

    @property
    def last_loud_s(self) -> float:
        """End of the last loud frame; -inf before the first."""
        return self._last_loud_s

    def push(self, pcm: bytes, at_s: float) -> SoundEvent | None:
        """Take the frame that began at `at_s`; at most one event follows from it."""
        loud = level_dbfs(pcm) >= self._settings.threshold_dbfs
        return self._on_loud(at_s) if loud else self._on_quiet(at_s)

    def _on_loud(self, at_s: float) -> SoundEvent | None:
        self._last_loud_s = at_s + _FRAME_S
        if self._sounding:
            return None
        horizon = at_s - self._settings.onset_window_s
        self._recent = [*(t for t in self._recent if t >= horizon), at_s]
        if len(self._recent) < self._settings.onset_frames:
            return None
        self._sounding = True
        first, self._recent = self._recent[0], []
        return SoundStarted(first)

    def _on_quiet(self, at_s: float) -> SoundEvent | None:
        if self._sounding and at_s + _FRAME_S - self._last_loud_s >= self._settings.hang_s:
            self._sounding = False
            return SoundStopped(self._last_loud_s)
        return None


def loud_span_frames(frames: list[bytes], threshold_dbfs: float) -> tuple[int, int] | None:
    """Index of the first and the last loud frame of a recording; None if it is all quiet."""
    loud = [i for i, frame in enumerate(frames) if level_dbfs(frame) >= threshold_dbfs]
    return (loud[0], loud[-1]) if loud else None
