"""Synthesis with the real engines."""

import asyncio
import shutil

import numpy as np
import pytest

from gateway.media.speech import TEXT_MAX_CHARS, Engine, SpeechError, Synthesiser, Voice

TEXT = "Thank you for calling."


def seconds(pcm: bytes, rate_hz: int) -> float:
    return len(pcm) / 2 / rate_hz


def dbfs(pcm: bytes) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) / 32768))


@pytest.mark.parametrize("engine", ["flite", "espeak-ng"])
async def test_every_rate_has_the_same_speech_at_the_same_level(engine: Engine) -> None:
    synthesiser = Synthesiser(engine=engine)
    lengths = []
    for rate_hz in (8000, 16000, 24000):
        pcm = await synthesiser.speak(TEXT, "en", rate_hz)
        assert dbfs(pcm) == pytest.approx(-20, abs=0.5)
        lengths.append(seconds(pcm, rate_hz))
    assert 0.8 < lengths[0] < 3
    assert max(lengths) - min(lengths) < 0.1


async def test_the_same_text_always_sounds_the_same() -> None:
    assert await Synthesiser().speak(TEXT, "en", 8000) == await Synthesiser().speak(TEXT, "en", 8000)


async def test_other_languages_are_spoken_by_espeak() -> None:
    synthesiser = Synthesiser()
    assert synthesiser.voice("de-AT") == Voice("espeak-ng", "de-at")
    german = await synthesiser.speak("Auf Wiederhören.", "de-AT", 8000)
    assert seconds(german, 8000) > 0.5


def test_english_is_spoken_by_flite_where_it_is_installed() -> None:
    assert shutil.which("flite"), "flite is not installed"
    assert Synthesiser().voice("en-GB") == Voice("flite", "slt")
    assert Synthesiser("rms").describe() == "flite/rms for English, espeak-ng for the rest"
    assert Synthesiser(engine="espeak-ng").describe() == "espeak-ng"


@pytest.mark.parametrize("text", ["", "  ", "x" * (TEXT_MAX_CHARS + 1), "a\0b"])
async def test_unfit_texts_are_refused(text: str) -> None:
    with pytest.raises(SpeechError):
        await Synthesiser().speak(text, "en", 8000)


async def test_a_text_that_looks_like_an_option_is_spoken() -> None:
    assert seconds(await Synthesiser(engine="flite").speak("--version now", "en", 8000), 8000) > 0.5


async def test_an_unknown_language_and_an_unknown_voice_are_errors() -> None:
    with pytest.raises(SpeechError, match="no voice for the language"):
        await Synthesiser().speak("hello", "qq", 8000)
    with pytest.raises(SpeechError, match="no voice"):
        Synthesiser("caruso")


async def test_espeak_survives_an_unknown_language_and_parallel_use() -> None:
    synthesiser = Synthesiser(engine="espeak-ng")
    alone = {lang: await synthesiser.speak(TEXT, lang, 8000) for lang in ("en", "de", "fr")}
    other = Synthesiser(engine="espeak-ng")
    with pytest.raises(SpeechError):
        await other.speak(TEXT, "qq", 8000)
    together = await asyncio.gather(*(other.speak(TEXT, lang, 8000) for lang in alone))
    for one, other_pcm in zip(alone.values(), together, strict=True):
        assert len(one) == pytest.approx(len(other_pcm), rel=0.05)
    assert len({len(pcm) for pcm in together}) == 3


async def test_the_loop_goes_on_while_a_sentence_is_made() -> None:
    loop = asyncio.get_running_loop()
    speaking = asyncio.ensure_future(Synthesiser().speak("A rather long sentence. " * 20, "en", 24000))
    turns = 0
    while not speaking.done():
        turns += 1
        step = loop.create_future()
        loop.call_later(0.001, step.set_result, None)
        await step
    assert len(await speaking) > 24000
    assert turns > 10


async def test_cached_speech_is_at_hand_and_the_cache_is_bounded() -> None:
    synthesiser = Synthesiser(engine="espeak-ng", cache_bytes=200_000)
    assert synthesiser.cached(TEXT, "en", 8000) is None
    first = await synthesiser.speak(TEXT, "en", 8000)
    assert synthesiser.cached(TEXT, "en", 8000) == first
    for number in range(12):
        await synthesiser.speak(f"Sentence number {number}.", "en", 8000)
        assert synthesiser.cached(f"Sentence number {number}.", "en", 8000) is not None
    assert synthesiser.cached(TEXT, "en", 8000) is None
    assert synthesiser.cached_bytes <= 200_000
