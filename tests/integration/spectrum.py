"""Which tone is in a recording, by FFT."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATE_HZ = 8000


def tone_share(samples: Samples, frequency_hz: float) -> float:
    """Share of the energy of all samples that lies within 20 Hz of a frequency; 0 for silence."""
    signal = samples.astype(np.float64)
    power = np.abs(np.fft.rfft(signal * np.hanning(signal.size))) ** 2
    frequencies = np.fft.rfftfreq(signal.size, 1 / RATE_HZ)
    total = float(power.sum())
    return float(power[np.abs(frequencies - frequency_hz) <= 20].sum()) / total if total > 0 else 0.0


def seconds_of_tone(samples: Samples, frequency_hz: float) -> float:
    """How much of a recording is that tone, counted in loud windows of 100 ms that are 80% tone."""
    size = RATE_HZ // 10
    windows = samples[: samples.size - samples.size % size].reshape(-1, size)
    is_tone = [np.abs(w).max() > 500 and tone_share(w, frequency_hz) > 0.8 for w in windows]
    return int(np.sum(is_tone)) * 0.1


def loud_seconds(samples: Samples) -> float:
    """How much of a recording is audible, counted in windows of 100 ms."""
    size = RATE_HZ // 10
    windows = samples[: samples.size - samples.size % size].reshape(-1, size)
    return float((np.abs(windows.astype(np.int32)).max(axis=1) > 500).sum()) * 0.1


def left_channel(path: Path) -> Samples:
    """What a softphone heard, from its recording."""
    with wave.open(str(path), "rb") as wav:
        assert (wav.getnchannels(), wav.getframerate()) == (2, RATE_HZ)
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").reshape(-1, 2)[:, 0]
