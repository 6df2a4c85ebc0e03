"""The gateway's own short announcements, synthesised once and kept as WAV files.

A prompt has to be there when everything else is not (the AI does not answer), so all of them are
made before the first call and held in memory.
"""

import asyncio
import hashlib
import os
import tempfile
import wave
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, get_args

from ruamel.yaml import YAML

from gateway.media.speech import SpeechError, Synthesiser
from gateway.observe.log import get_logger

PromptKey = Literal["apology", "goodbye", "please_wait"]
"""apology: the AI is not available · goodbye: before hanging up · please_wait: something takes time."""

FALLBACK_LANGUAGE: Final = "en"

_KEY_HASH_CHARS: Final = 20


class Prompts:
    """Announcements as PCM s16le at `sample_rate_hz`."""

    def __init__(self, pcm: Mapping[tuple[str, str], bytes], sample_rate_hz: int) -> None:
        """pcm: audio by (language without region, key); has every key for the fallback language."""
        self._pcm = dict(pcm)
        self.sample_rate_hz = sample_rate_hz

    def pcm(self, key: PromptKey, language: str) -> bytes:
        """Audio of a prompt; English where the language (`de`, `de-AT`) was not loaded."""
        found = self._pcm.get((_base(language), key))
        return found if found is not None else self._pcm[FALLBACK_LANGUAGE, key]

    def spoken(self, text: str, language: str) -> bytes | None:
        """Audio of a text that is one of the prompts; None if it is not."""
        base = _base(language)
        keys = (key for key, words in texts().get(base, {}).items() if words == text)
        return next((self._pcm[base, key] for key in keys if (base, key) in self._pcm), None)


@lru_cache(maxsize=1)
def texts() -> Mapping[str, Mapping[PromptKey, str]]:
    """What the prompts say, by language."""
    with files("gateway.media").joinpath("prompts.yaml").open(encoding="utf-8") as stream:
        data: dict[str, dict[PromptKey, str]] = YAML(typ="safe").load(stream)
    for language, prompts in data.items():
        if set(prompts) != set(get_args(PromptKey)):
            raise ValueError(f"prompts.yaml: language {language} must have {get_args(PromptKey)}")
    return data


async def load_prompts(
    cache_dir: Path, languages: Collection[str], sample_rate_hz: int, synthesiser: Synthesiser
) -> Prompts:
    """Every prompt in `languages` and English, from `cache_dir` or synthesised and put there.

    A language that cannot be spoken here is logged and falls back to English. Raises `SpeechError`
    when even English cannot; `OSError` when `cache_dir` cannot be made. Wanted files only are read.
    """
    await asyncio.to_thread(cache_dir.mkdir, parents=True, exist_ok=True)
    wanted = dict.fromkeys([FALLBACK_LANGUAGE, *(_base(language) for language in languages)])
    pcm: dict[tuple[str, str], bytes] = {}
    for language in wanted:
        for key, text in texts().get(language, {}).items():
            try:
                pcm[language, key] = await _one(cache_dir, text, language, sample_rate_hz, synthesiser)
            except SpeechError as exc:
                if language == FALLBACK_LANGUAGE:
                    raise
                get_logger().warning("prompt not spoken", language=language, prompt=key, error=str(exc))
    return Prompts(pcm, sample_rate_hz)


async def _one(
    cache_dir: Path, text: str, language: str, sample_rate_hz: int, synthesiser: Synthesiser
) -> bytes:
    voice = synthesiser.voice(language)
    identity = f"{text}\0{voice}\0{sample_rate_hz}".encode()
    name = hashlib.sha256(identity).hexdigest()[:_KEY_HASH_CHARS]
    path = cache_dir / f"{language}-{name}.wav"
    known = await asyncio.to_thread(_read, path, sample_rate_hz)
    if known is not None:
        return known
    pcm = await synthesiser.speak(text, language, sample_rate_hz)
    try:
        await asyncio.to_thread(_write, path, pcm, sample_rate_hz)
    except OSError as exc:
        get_logger().warning("prompt not cached", error=str(exc))
    return pcm


def _read(path: Path, sample_rate_hz: int) -> bytes | None:
    """Audio of a cached file; None when it is missing or not what was written there."""
    try:
        with wave.open(str(path), "rb") as reader:
            form = (reader.getframerate(), reader.getsampwidth(), reader.getnchannels())
            frames = reader.getnframes()
            pcm = reader.readframes(frames)
    except (OSError, wave.Error, EOFError):
        return None
    return pcm if form == (sample_rate_hz, 2, 1) and pcm and len(pcm) == 2 * frames else None


def _write(path: Path, pcm: bytes, sample_rate_hz: int) -> None:
    """Write atomically, so that another process never reads half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".wav")
    try:
        with os.fdopen(handle, "wb") as stream, wave.open(stream, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(sample_rate_hz)
            writer.writeframes(pcm)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _base(language: str) -> str:
    return language.lower().split("-")[0]
