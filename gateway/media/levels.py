"""Level and length of synthesised speech: loudness to one value, silence at the ends cut.

Both matter on the phone: voices differ by up to 12 dB, and some begin with 200 ms of silence that
a caller would hear as a slow answer.
"""

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SPEECH_DBFS: Final = -20.0
"""RMS of speech, in dB of full scale (a full-scale sine has −3)."""

_PEAK: Final = 0.89
"""Highest sample after levelling, of full scale: 1 dB of headroom."""

_WINDOW_S: Final = 0.01
_ACTIVE_SHARE: Final = 0.02
"""A 10 ms window is speech from this share of the loudest window's RMS (−34 dB)."""

_LOBES: Final = 24
"""Zero crossings on each side of the interpolation kernel."""
_KAISER_BETA: Final = 7.5


def level(samples: Samples, dbfs: float = SPEECH_DBFS) -> Samples:
    """Scale to `dbfs` RMS, less where the peak would come above −1 dBFS; silence stays silence.

    samples: shape (n,), full scale 32768.
    """
    rms = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
    if rms == 0.0:
        return samples
    gain = 32768 * 10 ** (dbfs / 20) / rms
    peak = float(np.abs(samples).max()) * gain
    return samples * np.float32(min(gain, gain * _PEAK * 32768 / peak))


def trim(samples: Samples, sample_rate_hz: int, *, lead_ms: int = 20, tail_ms: int = 120) -> Samples:
    """Cut silence at both ends down to the given lengths."""
    window = int(sample_rate_hz * _WINDOW_S)
    blocks = len(samples) // window
    if blocks == 0:
        return samples
    energy = np.sqrt(np.mean(np.square(samples[: blocks * window].reshape(blocks, window)), axis=1))
    active = np.flatnonzero(energy > energy.max() * _ACTIVE_SHARE)
    if not len(active):
        return samples
    first = max(0, int(active[0]) * window - sample_rate_hz * lead_ms // 1000)
    last = (int(active[-1]) + 1) * window + sample_rate_hz * tail_ms // 1000
    return samples[first:last]


def convert_rate(samples: Samples, in_hz: int, out_hz: int) -> Samples:
    """Whole-signal rate conversion for any pair of rates, without delay (Kaiser-windowed sinc).

    The streaming `Resampler` is for calls; this one is for texts, at odd rates such as 22050 Hz.
    """
    if in_hz == out_hz or not len(samples):
        return samples
    common = gcd(in_hz, out_hz)
    up, down = out_hz // common, in_hz // common
    kernels = _kernels(up, down)
    width = kernels.shape[1]
    padded = np.pad(samples, (width // 2 - 1, width // 2))
    windows = sliding_window_view(padded, width)
    out = np.empty(len(samples) * up // down, np.float32)
    for first in range(min(up, len(out))):
        phase, start = first * down % up, first * down // up
        part = out[first::up]
        part[:] = np.dot(windows[start::down][: len(part)], kernels[phase])
    return out


@lru_cache(maxsize=8)
def _kernels(up: int, down: int) -> Samples:
    """Interpolation kernels by phase, shape (up, taps), unity gain at DC."""
    cutoff = 0.94 * min(1.0, up / down)
    half = int(np.ceil(_LOBES / cutoff))
    distance = np.arange(-half + 1, half + 1)[None, :] - (np.arange(up) / up)[:, None]
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, 1)))
    kernels = np.sinc(cutoff * distance) * window
    kernels /= kernels.sum(axis=1, keepdims=True)
    return kernels.astype(np.float32)


def to_pcm(samples: Samples) -> bytes:
    """Round and clip to s16le."""
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


def from_pcm(pcm: bytes) -> Samples:
    """s16le to floats of full scale 32768."""
    return np.frombuffer(pcm, "<i2").astype(np.float32)
