"""Sounds for tests, as PCM s16le mono."""

import numpy as np
from numpy.typing import NDArray

from gateway.core.audio import PcmFormat

PHONE = PcmFormat(8000)


def voiced(duration_ms: int, sample_rate_hz: int = 8000) -> bytes:
    """Harmonics of about 130 Hz with the band, melody and rhythm of a voice: speech to a detector."""
    t = np.arange(sample_rate_hz * duration_ms // 1000) / sample_rate_hz
    phase = 2 * np.pi * np.cumsum(130 * (1 + 0.15 * np.sin(2 * np.pi * 1.7 * t))) / sample_rate_hz
    sound = np.zeros_like(t)
    for harmonic in range(1, 25):
        weight = 1.0 if 300 < 130 * harmonic < 3000 else 0.3
        sound += weight / harmonic**0.5 * np.sin(harmonic * phase)
    sound *= 0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)
    return bytes((sound / np.abs(sound).max() * 12000).astype(np.int16).tobytes())


def tone(
    frequency_hz: float, duration_ms: float, sample_rate_hz: int = 8000, amplitude: float = 12000
) -> bytes:
    """A sine wave."""
    t = np.arange(round(sample_rate_hz * duration_ms / 1000)) / sample_rate_hz
    return np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * t)).astype(np.int16).tobytes()


def steady(value: int, duration_ms: int, sample_rate_hz: int = 8000) -> bytes:
    """One value throughout, by which a test recognises whose audio it is."""
    return np.full(sample_rate_hz * duration_ms // 1000, value, np.int16).tobytes()


def samples(pcm: bytes) -> NDArray[np.float64]:
    """The samples of PCM as numbers."""
    return np.frombuffer(pcm, np.int16).astype(np.float64)


def frames(pcm: bytes, pcm_format: PcmFormat = PHONE) -> list[bytes]:
    """Whole 20 ms frames."""
    size = pcm_format.frame_bytes
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
