"""Tones of the telephone network (ITU-T E.180, the European cadences)."""

from functools import lru_cache
from typing import Final

import numpy as np

_HZ: Final = 425.0
_LEVEL: Final = 0.1
"""−20 dBFS."""
_RAMP_MS: Final = 5


@lru_cache(maxsize=8)
def ringback(sample_rate_hz: int) -> bytes:
    """One period of the ringing tone, PCM s16le: 1 s on, 4 s off."""
    return _tone(_HZ, 1000, sample_rate_hz) + bytes(2 * 4 * sample_rate_hz)


@lru_cache(maxsize=8)
def beep(sample_rate_hz: int) -> bytes:
    """A short high tone: speak now. PCM s16le, 250 ms."""
    return _tone(1000.0, 250, sample_rate_hz)


def _tone(frequency_hz: float, duration_ms: int, sample_rate_hz: int) -> bytes:
    n = sample_rate_hz * duration_ms // 1000
    ramp = sample_rate_hz * _RAMP_MS // 1000
    wave = np.sin(2 * np.pi * frequency_hz / sample_rate_hz * np.arange(n)) * _LEVEL * 32767
    edge = np.linspace(0.0, 1.0, ramp)
    wave[:ramp] *= edge
    wave[-ramp:] *= edge[::-1]
    pcm: bytes = np.rint(wave).astype(np.int16).tobytes()
    return pcm
