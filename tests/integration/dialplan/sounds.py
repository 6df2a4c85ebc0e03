"""Sounds of the test plan, and what can be made out in a recording."""

import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from gateway.bot.grammar import Carriers
from gateway.bot.listen import SAMPLE_RATE_HZ, Acquaintance, Dither, Utterance, Vocabulary
from gateway.core.audio import PcmFormat
from gateway.media.levels import convert_rate, from_pcm
from gateway.softphone.recording import tone
from tests.integration.spectrum import RATE_HZ, Samples

_CHUNK: Final = SAMPLE_RATE_HZ // 50


def write_wav(path: Path, pcm: bytes) -> None:
    """16 bit mono, 8000 Hz."""
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        wav.writeframes(pcm)


def write_tone(path: Path, frequency_hz: float, duration_ms: int) -> None:
    """A prompt that FFT finds again."""
    write_wav(path, tone(frequency_hz, duration_ms, PcmFormat(RATE_HZ)))


def join_wavs(path: Path, parts: Iterable[Path], gap_ms: int = 150) -> None:
    """Several recordings, one after the other."""
    gap = bytes(2 * RATE_HZ * gap_ms // 1000)
    write_wav(path, gap.join(samples_of(part).tobytes() for part in parts))


def samples_of(path: Path) -> Samples:
    """A mono recording at 8000 Hz."""
    with wave.open(str(path)) as wav:
        assert (wav.getnchannels(), wav.getframerate(), wav.getsampwidth()) == (1, RATE_HZ, 2)
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2")


def understood(samples: Samples, phrases: list[str]) -> str:
    """Which of the phrases a recogniser makes out; empty if none for certain."""
    vocabulary = Vocabulary({"test": phrases}, Carriers())
    utterance = Utterance(vocabulary, "test", Acquaintance())
    speech, dither = convert_rate(from_pcm(samples.tobytes()), RATE_HZ, SAMPLE_RATE_HZ), Dither()
    for start in range(0, len(speech), _CHUNK):
        utterance.push(dither.add(speech[start : start + _CHUNK]))
    return utterance.finish()


def longest_silence_s(samples: Samples) -> float:
    """The longest stretch without sound, in windows of 100 ms."""
    size = RATE_HZ // 10
    windows = samples[: samples.size - samples.size % size].reshape(-1, size)
    longest = current = 0
    for loud in np.abs(windows.astype(np.int32)).max(axis=1) > 200:
        current = 0 if loud else current + 1
        longest = max(longest, current)
    return longest * 0.1
