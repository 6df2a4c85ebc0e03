"""Speech synthesis: flite for English where it is installed, else espeak-ng.

flite (Debian package `flite`, a program) is far more intelligible on a phone line; espeak-ng comes
with the Python environment and knows a hundred languages. Which one speaks depends on what is
installed and on the language only, so that the same text always sounds the same.
"""

import asyncio
import io
import os
import shutil
import wave
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from gateway.errors import LocalError
from gateway.media import espeak
from gateway.media.levels import convert_rate, from_pcm, level, to_pcm, trim
from gateway.media.pcm_cache import PcmCache

TEXT_MAX_CHARS: Final = 5000
"""Longest text of one `speak`."""

_FLITE_TIMEOUT_S: Final = 20.0
_MADE_MAX: Final = 8
"""Texts of flite that are kept as it made them, to be converted to another rate."""
_AT_ONCE: Final = 2
"""Syntheses at a time; more only makes each slower."""

FLITE_VOICES: Final = ("slt", "rms", "awb", "kal16")
"""flite's own; it takes another one in silence for a name it does not know."""

Engine = Literal["flite", "espeak-ng"]


class SpeechError(LocalError):
    """A text could not be spoken: no engine for the language, engine failure, or an unfit text."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What will speak a language."""

    engine: Engine
    name: str
    """Voice of flite (`slt`, `rms`, `awb`, `kal16`), or the language for espeak-ng."""

    def __str__(self) -> str:
        return f"{self.engine}/{self.name}"


class Synthesiser:
    """Turns texts into PCM, levelled to −20 dBFS RMS, and keeps the latest ones."""

    def __init__(
        self, english_voice: str = "slt", *, engine: Engine | None = None, cache_bytes: int = 32 << 20
    ) -> None:
        """`engine` forces one engine; default: flite for English if the program is installed.

        Raises `SpeechError` for an unknown voice, and when flite is asked for and not installed.
        """
        if english_voice not in FLITE_VOICES:
            raise SpeechError(f"flite has no voice {english_voice!r}, only {', '.join(FLITE_VOICES)}")
        self._english_voice = english_voice
        self._flite = None if engine == "espeak-ng" else shutil.which("flite")
        if engine == "flite" and self._flite is None:
            raise SpeechError("flite is not installed")
        self._cache = PcmCache[tuple[str, str, int]](cache_bytes)
        self._made: OrderedDict[str, tuple[bytes, int]] = OrderedDict()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def voice(self, language: str) -> Voice:
        """Who speaks `language`, a BCP 47 tag such as `en` or `de-AT`."""
        if self._flite is not None and language.lower().split("-")[0] == "en":
            return Voice("flite", self._english_voice)
        return Voice("espeak-ng", language.lower())

    def describe(self) -> str:
        """Engines in use, in one line."""
        english = self.voice("en")
        return f"{english} for English, espeak-ng for the rest" if self._flite else "espeak-ng"

    def cached(self, text: str, language: str, sample_rate_hz: int) -> bytes | None:
        """What `speak` would return, if it is at hand."""
        return self._cache.get((text, language, sample_rate_hz))

    @property
    def cached_bytes(self) -> int:
        """Speech that is kept."""
        return self._cache.held_bytes

    async def speak(self, text: str, language: str, sample_rate_hz: int) -> bytes:
        """PCM s16le mono of `text`. Doesn't block the loop. Raises `SpeechError`."""
        known = self.cached(text, language, sample_rate_hz)
        if known is not None:
            return known
        if not text.strip() or len(text) > TEXT_MAX_CHARS or "\0" in text:
            raise SpeechError(f"a text to speak has 1 to {TEXT_MAX_CHARS} characters and no NUL")
        async with self._slots:
            # Somebody else may have waited for the same text.
            known = self.cached(text, language, sample_rate_hz)
            if known is None:
                known = await self._synthesise(text, language, sample_rate_hz)
                self._cache.keep((text, language, sample_rate_hz), known)
        return known

    async def _synthesise(self, text: str, language: str, sample_rate_hz: int) -> bytes:
        voice = self.voice(language)
        if voice.engine == "flite":
            # Other rates of the same text follow as a rule; starting the program costs most.
            made = self._made.get(text) or await self._run_flite(text, voice.name)
            self._made[text] = made
            while len(self._made) > _MADE_MAX:
                self._made.popitem(last=False)
            pcm, rate_hz = made
        else:
            pcm, rate_hz = await asyncio.to_thread(_run_espeak, text, voice.name)
        return await asyncio.to_thread(_finish, pcm, rate_hz, sample_rate_hz)

    async def _run_flite(self, text: str, voice: str) -> tuple[bytes, int]:
        # Not its standard output: flite opens a file by name, and a socket cannot be opened.
        with os.fdopen(os.memfd_create("flite"), "rb") as wav:
            await self._write_wave(text, voice, wav.fileno())
            return _read_wave(wav.read())

    async def _write_wave(self, text: str, voice: str, fd: int) -> None:
        assert self._flite is not None
        process = await asyncio.create_subprocess_exec(
            *(self._flite, "-voice", voice, "-o", f"/dev/fd/{fd}", "-t", text),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(fd,),
        )
        try:
            async with asyncio.timeout(_FLITE_TIMEOUT_S):
                _, err = await process.communicate()
        except TimeoutError as exc:
            raise SpeechError(f"flite took longer than {_FLITE_TIMEOUT_S:.0f} s") from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise SpeechError(
                f"flite ended with {process.returncode}: {err.decode('utf-8', 'replace')[:200]}"
            )


def _run_espeak(text: str, language: str) -> tuple[bytes, int]:
    try:
        engine = espeak.shared()
        return engine.speak(text, language), engine.sample_rate_hz
    except espeak.EspeakError as exc:
        raise SpeechError(str(exc)) from exc


def _read_wave(data: bytes) -> tuple[bytes, int]:
    try:
        with wave.open(io.BytesIO(data)) as reader:
            if reader.getsampwidth() != 2 or reader.getnchannels() != 1:
                raise SpeechError("flite made something other than 16-bit mono")
            return reader.readframes(reader.getnframes()), reader.getframerate()
    except (wave.Error, EOFError) as exc:
        raise SpeechError(f"flite made no WAV: {exc}") from exc


def _finish(pcm: bytes, in_hz: int, out_hz: int) -> bytes:
    return to_pcm(level(trim(convert_rate(from_pcm(pcm), in_hz, out_hz), out_hz)))
