"""Prompts of the dialplan as PCM: sentences are spoken, files are read and converted."""

import asyncio
import wave
from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np

from gateway.errors import LocalError
from gateway.media.levels import convert_rate, to_pcm

MAX_FILE_BYTES: Final = 32 << 20
_CACHE_BYTES: Final = 64 << 20


class SoundError(LocalError):
    """A sound file cannot be used. The message names the file and what is wrong with it."""


class SoundFiles:
    """WAV files at the sample rates that legs need, the latest kept in memory."""

    def __init__(self) -> None:
        self._cache: OrderedDict[tuple[Path, int, int], bytes] = OrderedDict()
        self._cached_bytes = 0

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
            self._keep(key, known)
        self._cache.move_to_end(key)
        return known

    def _keep(self, key: tuple[Path, int, int], pcm: bytes) -> None:
        self._cache[key] = pcm
        self._cached_bytes += len(pcm)
        while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= len(dropped)


def read_wav(path: Path, sample_rate_hz: int) -> bytes:
    """A WAV file (16 bit PCM) as mono s16le at a sample rate. Raises `SoundError`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SoundError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB")
        with wave.open(str(path), "rb") as reader:
            if reader.getsampwidth() != 2:
                raise SoundError(f"{path}: {8 * reader.getsampwidth()} bit; expected 16 bit PCM")
            channels, rate_hz = reader.getnchannels(), reader.getframerate()
            frames = reader.readframes(reader.getnframes())
    except (OSError, wave.Error, EOFError) as exc:
        raise SoundError(f"{path}: not a WAV file that can be read ({exc})") from exc
    samples = np.frombuffer(frames[: len(frames) // (2 * channels) * 2 * channels], np.int16)
    mono = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32).astype(np.float32)
    if not len(mono) or not 4000 <= rate_hz <= 192000:
        raise SoundError(f"{path}: no audio of a usual sample rate")
    return to_pcm(convert_rate(mono, rate_hz, sample_rate_hz))
