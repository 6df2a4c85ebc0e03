"""WAV files in and out of the phone's audio format (signed 16-bit mono), and test tones."""

import wave
from pathlib import Path

import numpy as np

from gateway.core.audio import SAMPLE_BYTES, PcmFormat
from gateway.errors import LocalError

_TONE_PEAK = 0.25
_FADE_S = 0.005


class RecordingError(LocalError):
    """A WAV file that cannot be spoken; the message names the file and what is wrong with it."""


def read_wav(path: Path, pcm_format: PcmFormat) -> bytes:
    """PCM of a WAV file at exactly `pcm_format`. Raises `RecordingError`."""
    try:
        with wave.open(str(path), "rb") as wav:
            found = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth())
            pcm = wav.readframes(wav.getnframes())
    except (OSError, wave.Error, EOFError) as exc:
        raise RecordingError(f"{path}: {exc}") from exc
    wanted = (pcm_format.sample_rate_hz, 1, SAMPLE_BYTES)
    if found != wanted:
        raise RecordingError(
            f"{path}: expected {wanted[0]} Hz mono 16-bit, found {found[0]} Hz, "
            f"{found[1]} channels, {found[2] * 8}-bit"
        )
    return pcm


def cut_frames(pcm: bytes, pcm_format: PcmFormat) -> list[bytes]:
    """20 ms frames; the last one is filled up with silence."""
    size = pcm_format.frame_bytes
    pcm += bytes(-len(pcm) % size)
    return [pcm[i : i + size] for i in range(0, len(pcm), size)]


def tone(frequency_hz: float, duration_ms: int, pcm_format: PcmFormat) -> bytes:
    """A sine at -12 dBFS peak, faded in and out so that it does not click."""
    rate = pcm_format.sample_rate_hz
    t = np.arange(rate * duration_ms // 1000) / rate
    envelope = np.minimum(1.0, np.minimum(t, duration_ms / 1000 - t) / _FADE_S)
    samples = np.sin(2 * np.pi * frequency_hz * t) * envelope * _TONE_PEAK * 32767
    return samples.astype("<i2").tobytes()


class StereoRecorder:
    """What was heard (left) and said (right), written as one WAV when the call is over.

    Bounded: audio beyond `limit_s` is not kept.
    """

    def __init__(self, pcm_format: PcmFormat, limit_s: float = 600.0) -> None:
        self._format = pcm_format
        self._limit_frames = int(limit_s * 1000 // 20)
        self._heard: list[bytes] = []
        self._said: list[bytes] = []

    def add(self, heard: bytes | None, said: bytes | None) -> None:
        """One tick; None is silence."""
        if len(self._heard) < self._limit_frames:
            silence = bytes(self._format.frame_bytes)
            self._heard.append(heard or silence)
            self._said.append(said or silence)

    def write(self, path: Path) -> None:
        """Raises `RecordingError` if the file cannot be written."""
        left = np.frombuffer(b"".join(self._heard), dtype="<i2")
        right = np.frombuffer(b"".join(self._said), dtype="<i2")
        try:
            with wave.open(str(path), "wb") as wav:
                wav.setparams((2, SAMPLE_BYTES, self._format.sample_rate_hz, 0, "NONE", "not compressed"))
                wav.writeframes(np.column_stack((left, right)).tobytes())
        except OSError as exc:
            raise RecordingError(f"{path}: {exc}") from exc
