"""The gateway's prompts: spoken once, cached, English when in doubt."""

import os
import wave
from pathlib import Path

import pytest

from gateway.media.prompts import load_prompts, texts
from gateway.media.speech import Synthesiser


def synthesiser() -> Synthesiser:
    return Synthesiser(engine="espeak-ng")


def assert_alike(one: bytes, other: bytes) -> None:
    """The same text twice: espeak-ng's noise differs, its timing hardly."""
    assert len(one) == pytest.approx(len(other), rel=0.05)


def test_the_promised_languages_have_every_prompt() -> None:
    assert {"en", "de", "fr", "es", "it", "nl", "pt", "pl"} <= set(texts())


async def test_every_language_is_spoken(tmp_path: Path) -> None:
    prompts = await load_prompts(tmp_path, list(texts()), 8000, synthesiser())
    apologies = {language: prompts.pcm("apology", language) for language in texts()}
    assert len(set(apologies.values())) == len(texts())
    assert all(2 < len(pcm) / 16000 < 12 for pcm in apologies.values())


async def test_a_region_is_ignored_and_other_languages_get_english(tmp_path: Path) -> None:
    prompts = await load_prompts(tmp_path, ["de-AT", "tlh"], 8000, synthesiser())
    assert prompts.pcm("apology", "de") == prompts.pcm("apology", "de-CH")
    english = prompts.pcm("goodbye", "en")
    assert prompts.pcm("goodbye", "tlh") == english
    assert prompts.pcm("goodbye", "fr") == english


async def test_a_second_start_reads_the_files(tmp_path: Path) -> None:
    first = await load_prompts(tmp_path, ["de"], 8000, synthesiser())
    before = {path: os.stat(path).st_mtime_ns for path in tmp_path.iterdir()}
    again = synthesiser()
    second = await load_prompts(tmp_path, ["de"], 8000, again)
    assert second.pcm("apology", "de") == first.pcm("apology", "de")
    assert again.cached_bytes == 0
    assert {path: os.stat(path).st_mtime_ns for path in tmp_path.iterdir()} == before


async def test_rates_and_voices_have_files_of_their_own(tmp_path: Path) -> None:
    await load_prompts(tmp_path, [], 8000, synthesiser())
    await load_prompts(tmp_path, [], 16000, synthesiser())
    await load_prompts(tmp_path, [], 8000, Synthesiser())
    assert len(list(tmp_path.iterdir())) == 9


@pytest.mark.parametrize("rubbish", [b"", b"RIFF", b"not a wave file at all"])
async def test_a_damaged_file_is_made_again(tmp_path: Path, rubbish: bytes) -> None:
    good = await load_prompts(tmp_path, [], 8000, synthesiser())
    for path in tmp_path.iterdir():
        path.write_bytes(rubbish)
    prompts = await load_prompts(tmp_path, [], 8000, synthesiser())
    assert_alike(prompts.pcm("apology", "en"), good.pcm("apology", "en"))
    for path in tmp_path.iterdir():
        with wave.open(str(path)) as reader:
            assert reader.getnframes() > 0


async def test_a_cut_file_is_made_again(tmp_path: Path) -> None:
    good = await load_prompts(tmp_path, [], 8000, synthesiser())
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1000])
    prompts = await load_prompts(tmp_path, [], 8000, synthesiser())
    assert_alike(prompts.pcm("please_wait", "en"), good.pcm("please_wait", "en"))
