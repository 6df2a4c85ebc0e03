"""The streaming resampler: continuity, level, images, aliases, delay, ratio."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.media.resampler import Resampler
from tests.sounds import samples, tone

Floats = NDArray[np.float64]
PAIRS = [(8000, 24000), (24000, 8000), (8000, 16000), (16000, 8000), (16000, 24000), (24000, 16000)]
ODD_PAIRS = [(8000, 48000), (48000, 16000), (22050, 8000), (8000, 44100), (44100, 16000)]

NOISE = np.random.default_rng(7).normal(0, 4000, 6000).clip(-20000, 20000).astype(np.int16).tobytes()


def resample(pcm: bytes, in_hz: int, out_hz: int, chunk: int | None = None) -> bytes:
    resampler = Resampler(in_hz, out_hz)
    size = 2 * (chunk or in_hz // 50)
    return b"".join(resampler.process(pcm[at : at + size]) for at in range(0, len(pcm), size))


def level_db(x: Floats, frequency_hz: float, rate_hz: int) -> float:
    """Level of one frequency relative to an amplitude of 12000; the edges are left out."""
    x = x[rate_hz // 20 : -rate_hz // 20]
    window = np.blackman(len(x))
    t = np.arange(len(x)) / rate_hz
    amplitude = 2 * abs(np.sum(x * window * np.exp(-2j * np.pi * frequency_hz * t))) / np.sum(window)
    return float(20 * np.log10(max(amplitude, 1e-9) / 12000))


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS + ODD_PAIRS)
@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 6000), max_size=30))
def test_any_chunking_gives_the_same_stream(in_hz: int, out_hz: int, cuts: list[int]) -> None:
    whole = Resampler(in_hz, out_hz).process(NOISE)
    pieces = Resampler(in_hz, out_hz)
    edges = [0, *sorted(cuts), 6000]
    got = b"".join(pieces.process(NOISE[2 * start : 2 * end]) for start, end in pairwise(edges))
    # Sums of floats may round the other way when they are added in another order.
    assert len(got) == len(whole)
    assert np.abs(samples(got) - samples(whole)).max() <= 1


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS + ODD_PAIRS)
@pytest.mark.parametrize("chunk", [1, 7, 160, 441, 1000])
def test_the_ratio_is_exact_over_time(in_hz: int, out_hz: int, chunk: int) -> None:
    resampler, made = Resampler(in_hz, out_hz), 0
    for taken in range(chunk, 3 * in_hz + 1, chunk):
        made += len(resampler.process(bytes(2 * chunk))) // 2
        assert abs(made - taken * out_hz / in_hz) < 1 + out_hz / in_hz


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
@pytest.mark.parametrize("frequency_hz", [300, 700, 1000, 2000, 3000, 3400])
def test_the_telephone_band_is_flat(in_hz: int, out_hz: int, frequency_hz: int) -> None:
    out = samples(resample(tone(frequency_hz, 1000, in_hz), in_hz, out_hz))
    assert level_db(out, frequency_hz, out_hz) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("out_hz", "image"), [(24000, 8000), (16000, 8000)])
@pytest.mark.parametrize("frequency_hz", [300, 1000, 2000, 3400])
def test_images_are_inaudible(out_hz: int, image: int, frequency_hz: int) -> None:
    out = samples(resample(tone(frequency_hz, 1000, 8000), 8000, out_hz))
    assert level_db(out, image - frequency_hz, out_hz) < -70


@pytest.mark.parametrize(
    ("frequency_hz", "below_db"), [(4600, -70), (5000, -70), (8000 - 300, -70), (4200, -45)]
)
def test_aliases_are_inaudible(frequency_hz: int, below_db: float) -> None:
    out = samples(resample(tone(frequency_hz, 1000, 24000), 24000, 8000))
    assert level_db(out, 8000 - frequency_hz, 8000) < below_db


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_the_delay_is_three_milliseconds(in_hz: int, out_hz: int) -> None:
    pulse = np.zeros(in_hz // 5, np.int16)
    pulse[in_hz // 10] = 20000
    out = samples(resample(pulse.tobytes(), in_hz, out_hz))
    delay_ms = 1000 * (int(np.argmax(out)) / out_hz - 0.1)
    assert delay_ms == pytest.approx(3.0, abs=0.15)


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS + ODD_PAIRS)
def test_a_constant_stays_one(in_hz: int, out_hz: int) -> None:
    out = samples(resample(np.full(in_hz, 9000, np.int16).tobytes(), in_hz, out_hz))
    assert np.abs(out[out_hz // 50 :] - 9000).max() <= 1


def test_loud_input_is_clipped_and_does_not_wrap() -> None:
    square = np.where(np.arange(8000) % 16 < 8, 32767, -32768).astype(np.int16)
    for out_hz in (24000, 16000):
        out = samples(resample(square.tobytes(), 8000, out_hz))
        assert out.max() == 32767
        assert out.min() == -32768
        # A wrapped sample jumps across the whole range within half a period of the square wave.
        assert np.abs(np.diff(out)).max() < 50000


def test_equal_rates_change_nothing() -> None:
    assert resample(NOISE, 8000, 8000) == NOISE


def test_an_empty_chunk_is_nothing() -> None:
    resampler = Resampler(8000, 24000)
    assert resampler.process(b"") == b""


@pytest.mark.parametrize(("in_hz", "out_hz"), [(0, 8000), (8000, 0), (-8000, 8000)])
def test_rates_must_be_positive(in_hz: int, out_hz: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        Resampler(in_hz, out_hz)


def test_two_streams_do_not_touch() -> None:
    first, second = Resampler(8000, 24000), Resampler(8000, 24000)
    expected = Resampler(8000, 24000).process(NOISE)
    got = b""
    for at in range(0, len(NOISE), 320):
        got += first.process(NOISE[at : at + 320])
        second.process(bytes(320))
    assert np.abs(samples(got) - samples(expected)).max() <= 1
