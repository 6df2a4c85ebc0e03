"""Prompts of the dialplan as PCM: sentences are spoken, files are read and converted."""

import asyncio
import wave
from pathlib import Path
from typing import Final

import numpy as np

from gateway.errors import LocalError
from gateway.media.levels import convert_rate, to_pcm
from gateway.media.pcm_cache import PcmCache

MAX_FILE_BYTES: Final = 32 << 20
MIN_RATE_HZ: Final = 4000
MAX_RATE_HZ: Final = 192_000
WAV_EXPECTED: Final = f"a WAV file of 16 bit PCM, {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, mono or stereo"
_FORMATS: Final = {
    "3": "a WAV file of floating-point samples",
    "6": "a WAV file of A-law",
    "7": "a WAV file of µ-law",
    "17": "a WAV file of ADPCM",
    "49": "a WAV file of GSM",
    "85": "a WAV file of MP3",
    "65534": "a WAV file of an extended format",
}
"""Registered format numbers (RFC 2361, appendix A), as the library gives them at the end of its message."""
_CACHE_BYTES: Final = 64 << 20


class SoundError(LocalError):
    """A sound file cannot be used. The message names the file and what is wrong with it."""


class SoundFiles:
    """WAV files at the sample rates that legs need, the latest kept in memory."""

    def __init__(self) -> None:
        self._cache = PcmCache[tuple[Path, int, int]](_CACHE_BYTES)

    async def pcm(self, path: Path, sample_rate_hz: int) -> bytes:
        """PCM s16le mono. Raises `SoundError`."""
        try:
            changed_ns = (await asyncio.to_thread(path.stat)).st_mtime_ns
        except OSError as exc:
            raise SoundError(f"{path}: {exc.strerror}") from exc
        key = (path, changed_ns, sample_rate_hz)
        known = self._cache.get(key)
        if known is None:
            known = await asyncio.to_thread(read_wav, path, sample_rate_hz)
            self._cache.keep(key, known)
        return known


def wav_fault(path: Path) -> str:
    """Why a file cannot be played, by its header; empty: `read_wav` will take it. Never raises."""
    try:
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            return f"a file of {size} bytes; at most {MAX_FILE_BYTES} can be played"
        with wave.open(str(path), "rb") as reader:
            return _unfit(reader)
    except OSError as exc:
        return (exc.strerror or str(exc)).lower()
    except EOFError:
        return "an empty or incomplete file"
    except wave.Error as exc:
        return _FORMATS.get(str(exc).rpartition(" ")[2], "no WAV file")


def _unfit(reader: wave.Wave_read) -> str:
    if reader.getsampwidth() != 2:
        return f"a WAV file of {8 * reader.getsampwidth()} bit"
    if not MIN_RATE_HZ <= reader.getframerate() <= MAX_RATE_HZ:
        return f"a WAV file of {reader.getframerate()} Hz"
    return "" if reader.getnframes() else "a WAV file without audio"


def read_wav(path: Path, sample_rate_hz: int) -> bytes:
    """A WAV file (16 bit PCM) as mono s16le at a sample rate. Raises `SoundError`."""
    if fault := wav_fault(path):
        raise SoundError(f"{path}: {fault}, expected {WAV_EXPECTED}")
    try:
        with wave.open(str(path), "rb") as reader:
            channels, rate_hz = reader.getnchannels(), reader.getframerate()
            frames = reader.readframes(reader.getnframes())
    except (OSError, wave.Error, EOFError) as exc:
        raise SoundError(f"{path}: not a WAV file that can be read ({exc})") from exc
    samples = np.frombuffer(frames[: len(frames) // (2 * channels) * 2 * channels], np.int16)
    mono = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32).astype(np.float32)
    if not len(mono):
        raise SoundError(f"{path}: a WAV file without audio")
    return to_pcm(convert_rate(mono, rate_hz, sample_rate_hz))
