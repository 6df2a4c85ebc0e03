"""Sounds that are no words, made from numbers: hiss, hum, breath, clicks, tones, keys, a hummed mm-hm.

All are float32, shape (n,), at `RATE_HZ`, of any level; the same generator gives the same sounds.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE_HZ: Final = 8000

_KEYPAD: Final = {
    key: (row, column)
    for row, keys in zip((697, 770, 852, 941), ("123", "456", "789", "*0#"), strict=True)
    for key, column in zip(keys, (1209, 1336, 1477), strict=True)
}
"""ITU-T Q.23."""


def shaped(random: np.random.Generator, n: int, low_hz: float, high_hz: float, slope: float) -> Samples:
    """Noise between two frequencies whose power falls by `slope` × 3 dB an octave; 1 is pink."""
    spectrum = np.fft.rfft(random.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    spectrum *= ((hz >= low_hz) & (hz <= high_hz)) / np.maximum(hz, 20) ** (slope / 2)
    return np.fft.irfft(spectrum, n).astype(np.float32)


def _tones(duration_s: float, *hz: float) -> Samples:
    t = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return np.asarray(sum(np.sin(2 * np.pi * f * t) for f in hz), np.float32)


def _pulses(random: np.random.Generator, decay_s: float) -> Samples:
    sound = np.zeros(3 * RATE_HZ // 2, np.float32)
    n = int(decay_s * 6 * RATE_HZ)
    for _ in range(int(random.integers(2, 8))):
        at = int(random.integers(len(sound) - n))
        sound[at : at + n] += random.standard_normal(n) * np.exp(-np.arange(n) / RATE_HZ / decay_s)
    return sound


def _breath(random: np.random.Generator) -> Samples:
    sound = shaped(random, 3 * RATE_HZ // 2, 300, 3000, 1)
    return sound * np.float32(np.sin(np.linspace(0, np.pi, len(sound))) ** 2)


def _hum(random: np.random.Generator) -> Samples:
    mains = float(random.choice([50, 60]))
    return np.asarray(sum(_tones(1.5, mains * k) / k for k in range(1, 12, 2)), np.float32)


_NOISES: Final[dict[str, Callable[[np.random.Generator], Samples]]] = {
    "hiss": lambda random: shaped(random, 12000, 50, 4000, 0),
    "rush": lambda random: shaped(random, 12000, 50, 4000, 1),
    "rumble": lambda random: shaped(random, 12000, 50, 1000, 2),
    "hum": _hum,
    "breath": _breath,
    "clicks": lambda random: _pulses(random, 0.002),
    "knocks": lambda random: _pulses(random, 0.02),
    "ringback": lambda _random: _tones(1.2, 440, 480),
    "busy tone": lambda _random: np.concatenate(
        [_tones(0.5, 425), np.zeros(4000, np.float32), _tones(0.5, 425)]
    ),
}


def noise(random: np.random.Generator, number: int) -> tuple[str, Samples]:
    """One of the noises in turn, with its name."""
    name, make = list(_NOISES.items())[number % len(_NOISES)]
    return name, make(random)


def keys(random: np.random.Generator) -> tuple[str, Samples]:
    """One to four keys as tones in the audio, with twist."""
    parts: list[Samples] = []
    digits = [str(key) for key in random.choice(list(_KEYPAD), int(random.integers(1, 5)))]
    for digit in digits:
        low, high = _KEYPAD[digit]
        duration_s = float(random.uniform(0.08, 0.3))
        twist = np.float32(10 ** (random.uniform(-4, 4) / 20))
        parts += [_tones(duration_s, low) + twist * _tones(duration_s, high)]
        parts += [np.zeros(int(random.uniform(0.05, 0.15) * RATE_HZ), np.float32)]
    return "".join(digits), np.concatenate(parts)


def mm_hm(random: np.random.Generator) -> Samples:
    """A voice that hums twice with closed lips: harmonics of a pitch that rises, above 600 Hz damped."""
    first_s, gap_s, second_s = random.uniform(0.12, 0.2), 0.06, random.uniform(0.15, 0.24)
    n, pitch_hz = int((first_s + gap_s + second_s) * RATE_HZ), float(random.uniform(100, 210))
    t = np.arange(n) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.25 * (t > first_s + gap_s / 2) - 0.1 * t)) / RATE_HZ
    sound = np.zeros(n)
    for harmonic in range(1, int(2400 / pitch_hz)):
        hz = harmonic * pitch_hz
        sound += np.sin(harmonic * phase) / (1 + (hz / 600) ** 2)
    humps = _hump(t, 0.0, first_s) + _hump(t, first_s + gap_s, second_s)
    return (sound * humps).astype(np.float32)


def _hump(t: NDArray[np.float64], begin_s: float, length_s: float) -> NDArray[np.float64]:
    inside = np.clip((t - begin_s) / length_s, 0, 1)
    return np.asarray(np.sin(np.pi * inside) ** 0.5, np.float64)
