"""The second opinion on real sounds, with the real model."""

import wave
from importlib.resources import files

import numpy as np
import pytest

from gateway.media.levels import Samples, from_pcm
from gateway.media.silero import HISTORY_SAMPLES, SAMPLE_RATE_HZ, SpeechModel, is_tonal, shared
from tests.sounds import tone


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    return shared()


def speech() -> Samples:
    path = files("gateway.softphone") / "speech" / "ask_billing.wav"
    with path.open("rb") as file, wave.open(file) as reader:
        return from_pcm(reader.readframes(reader.getnframes())) / np.float32(32768)


def both_tones(*hz: float) -> Samples:
    tones = np.stack([from_pcm(tone(f, 200, SAMPLE_RATE_HZ, 6000)) for f in hz])
    mixed: Samples = tones.sum(axis=0) / np.float32(32768)
    return mixed


def test_speech_and_silence_are_told_apart(model: SpeechModel) -> None:
    words = speech()
    ends = range(HISTORY_SAMPLES, len(words), 800)
    found = [model.opinion(words[end - HISTORY_SAMPLES : end].copy()).speech for end in ends]
    assert np.median(found) > 0.9
    assert model.opinion(np.zeros(HISTORY_SAMPLES, np.float32)).speech < 0.1


def test_noise_is_no_speech(model: SpeechModel) -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, HISTORY_SAMPLES).astype(np.float32)
    assert model.opinion(noise).speech < 0.1


def test_an_opinion_remembers_no_other_call(model: SpeechModel) -> None:
    words = speech()[2000 : 2000 + HISTORY_SAMPLES]
    first = model.opinion(words.copy())
    model.opinion(np.random.default_rng(2).normal(0, 0.3, HISTORY_SAMPLES).astype(np.float32))
    assert model.opinion(words.copy()) == first


@pytest.mark.parametrize("hz", [(697, 1209), (941, 1477), (440,), (425,), (440, 480)])
def test_keys_and_rings_are_tonal(model: SpeechModel, hz: tuple[float, ...]) -> None:
    assert model.opinion(both_tones(*hz)[:HISTORY_SAMPLES].copy()).tonal


def test_words_noise_and_silence_are_not_tonal() -> None:
    words = speech()
    pieces = [words[at : at + 320] for at in range(800, len(words) - 1500, 320)]
    assert sum(map(is_tonal, pieces)) < len(pieces) / 4
    assert not is_tonal(np.random.default_rng(1).normal(0, 0.1, 320).astype(np.float32))
    assert not is_tonal(np.zeros(320, np.float32))


def test_the_model_is_loaded_once() -> None:
    assert shared() is shared()
