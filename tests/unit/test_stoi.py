"""The measure itself, on signals whose order is known."""

import numpy as np
import pytest

from tests.sounds import samples, voiced
from tests.stoi import Signal, in_step, stoi

RATE_HZ = 8000


@pytest.fixture(scope="module")
def speech() -> Signal:
    """Three seconds whose loudness goes up and down as syllables do."""
    pcm = samples(voiced(3000, RATE_HZ)).astype(float)
    at_s = np.arange(len(pcm)) / RATE_HZ
    return pcm * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * at_s) * np.sin(2 * np.pi * 1.3 * at_s))


def noisy(speech: Signal, snr_db: float) -> Signal:
    noise = np.random.default_rng(1).normal(size=len(speech))
    level = np.linalg.norm(speech) / np.linalg.norm(noise) / 10 ** (snr_db / 20)
    return speech + level * noise


def test_what_is_unharmed_is_understood(speech: Signal) -> None:
    assert stoi(speech, speech, RATE_HZ) == pytest.approx(1.0, abs=1e-6)
    assert stoi(speech, 0.1 * speech, RATE_HZ) == pytest.approx(1.0, abs=1e-3)


def test_more_noise_is_worse(speech: Signal) -> None:
    scores = [stoi(speech, noisy(speech, snr_db), RATE_HZ) for snr_db in (30, 10, 0, -10)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.8
    assert scores[-1] < 0.6


def test_holes_are_worse_than_none(speech: Signal) -> None:
    holed = speech.copy()
    for start in range(0, len(holed), 1600):
        holed[start : start + 480] = 0
    assert stoi(speech, holed, RATE_HZ) < 0.9


def test_the_delay_is_found(speech: Signal) -> None:
    late = np.concatenate([np.zeros(1234), speech])
    assert np.allclose(in_step(speech, late, RATE_HZ), speech)
