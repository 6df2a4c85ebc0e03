"""How much of speech can be understood: the short-time objective intelligibility measure.

After Taal, Hendriks, Heusdens, Jensen: An algorithm for intelligibility prediction of time-frequency weighted
noisy speech, IEEE TASLP 19 (2011). 0 to 1; above 0.9 practically everything.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 10_000
_FRAME, _HOP, _FFT = 256, 128, 512
_BANDS, _LOWEST_HZ = 15, 150.0
_SEGMENT: Final = 30
"""Frames: 384 ms."""
_RANGE_DB: Final = 40.0
"""Frames that much quieter than the loudest are silence."""
_LEAST_SDR: Final = 10 ** (15 / 20)

Signal = NDArray[np.float64]


def stoi(clean: Signal, heard: Signal, rate_hz: int) -> float:
    """Of two signals of the same length that are in step."""
    clean, heard = (_resampled(each, rate_hz) for each in (clean, heard))
    clean, heard = _without_silence(clean, heard)
    x, y = _bands(clean), _bands(heard)
    if x.shape[1] < _SEGMENT:
        raise ValueError("less than 400 ms of speech")
    scores = [
        _score(x[:, end - _SEGMENT : end], y[:, end - _SEGMENT : end])
        for end in range(_SEGMENT, x.shape[1] + 1)
    ]
    return float(np.mean(scores))


def in_step(clean: Signal, recording: Signal, rate_hz: int, most_shift_ms: int = 400) -> Signal:
    """The part of a recording that goes with the clean signal: where they correlate best.

    The recording begins at most `most_shift_ms` before it and may be as much longer.
    """
    size = len(clean)
    padded = np.concatenate([recording, np.zeros(size)])
    shifts = min(len(padded) - size, most_shift_ms * rate_hz // 1000)
    length = 1 << (len(padded) + size).bit_length()
    spectrum = np.fft.rfft(padded, length) * np.conj(np.fft.rfft(clean, length))
    best = int(np.argmax(np.fft.irfft(spectrum, length)[: shifts + 1]))
    found: Signal = padded[best : best + size]
    return found


def _resampled(signal: Signal, rate_hz: int) -> Signal:
    """To 10 kHz by the spectrum."""
    size = round(len(signal) * RATE_HZ / rate_hz)
    spectrum = np.fft.rfft(signal)
    kept = np.zeros(size // 2 + 1, dtype=complex)
    count = min(len(kept), len(spectrum))
    kept[:count] = spectrum[:count]
    return np.asarray(np.fft.irfft(kept, size) * size / len(signal), dtype=np.float64)


def _windowed(signal: Signal) -> Signal:
    starts = range(0, len(signal) - _FRAME + 1, _HOP)
    window = np.hanning(_FRAME + 2)[1:-1]
    return np.array([signal[start : start + _FRAME] * window for start in starts])


def _without_silence(clean: Signal, heard: Signal) -> tuple[Signal, Signal]:
    """Both without the frames in which the clean one is silent."""
    x, y = _windowed(clean), _windowed(heard)
    levels_db = 20 * np.log10(np.linalg.norm(x, axis=1) + 1e-12)
    loud = levels_db > levels_db.max() - _RANGE_DB
    return _joined(x[loud]), _joined(y[loud])


def _joined(windows: Signal) -> Signal:
    joined = np.zeros((len(windows) - 1) * _HOP + _FRAME)
    for index, each in enumerate(windows):
        joined[index * _HOP : index * _HOP + _FRAME] += each
    return joined


def _bands(signal: Signal) -> Signal:
    """Magnitudes in third-octave bands, shape (bands, frames)."""
    power = np.abs(np.fft.rfft(_windowed(signal), _FFT, axis=1)) ** 2
    hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
    centres = _LOWEST_HZ * 2 ** (np.arange(_BANDS) / 3)
    inside = [(hz >= centre / 2 ** (1 / 6)) & (hz < centre * 2 ** (1 / 6)) for centre in centres]
    return np.asarray(np.sqrt([power[:, band].sum(axis=1) for band in inside]), dtype=np.float64)


def _score(x: Signal, y: Signal) -> float:
    """Of one segment: mean correlation of the bands' envelopes, what is far too loud cut off."""
    scale = np.linalg.norm(x, axis=1, keepdims=True) / (np.linalg.norm(y, axis=1, keepdims=True) + 1e-12)
    y = np.minimum(y * scale, x * (1 + _LEAST_SDR))
    x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1) + 1e-12
    return float(np.mean((x * y).sum(axis=1) / norms))
