"""Level, trimming and rate conversion of whole signals."""

import numpy as np
import pytest

from gateway.media.levels import SPEECH_DBFS, Samples, convert_rate, from_pcm, level, to_pcm, trim


def tone(hz: float, rate_hz: int, *, seconds: float = 0.5, amplitude: float = 8000) -> Samples:
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def dbfs(samples: Samples) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples))) / 32768))


def share_at(samples: Samples, rate_hz: int, hz: float) -> float:
    """Share of the energy within 20 Hz of `hz`."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    return float(power[np.abs(frequencies - hz) < 20].sum() / power.sum())


@pytest.mark.parametrize("amplitude", [20, 800, 30000])
def test_level_brings_any_loudness_to_the_same_rms(amplitude: float) -> None:
    assert dbfs(level(tone(440, 8000, amplitude=amplitude))) == pytest.approx(SPEECH_DBFS, abs=0.01)


def test_level_never_clips_a_peaky_signal() -> None:
    clicks = np.zeros(8000, np.float32)
    clicks[::1000] = 1000
    assert np.abs(level(clicks)).max() <= 0.9 * 32768


def test_level_leaves_silence_alone() -> None:
    silence = np.zeros(100, np.float32)
    assert not level(silence).any()
    assert len(level(np.zeros(0, np.float32))) == 0


def test_trim_keeps_the_asked_silence_at_both_ends() -> None:
    quiet = np.zeros(4000, np.float32)
    speech = tone(440, 8000)
    cut = trim(np.concatenate([quiet, speech, quiet]), 8000, lead_ms=20, tail_ms=120)
    assert len(cut) == len(speech) + 160 + 960


def test_trim_keeps_silence_as_it_is() -> None:
    assert len(trim(np.zeros(4000, np.float32), 8000)) == 4000


@pytest.mark.parametrize(("in_hz", "out_hz"), [(16000, 8000), (16000, 24000), (22050, 8000), (22050, 24000)])
def test_convert_rate_keeps_length_level_and_pitch(in_hz: int, out_hz: int) -> None:
    converted = convert_rate(tone(1000, in_hz), in_hz, out_hz)
    assert len(converted) == pytest.approx(out_hz / 2, abs=2)
    middle = converted[out_hz // 10 : -out_hz // 10]
    assert dbfs(middle) == pytest.approx(dbfs(tone(1000, in_hz)), abs=0.05)
    assert share_at(middle, out_hz, 1000) > 0.9999


def test_convert_rate_removes_what_would_alias() -> None:
    assert dbfs(convert_rate(tone(5000, 16000), 16000, 8000)[400:-400]) < -80


def test_pcm_round_trip_clips_at_full_scale() -> None:
    assert list(from_pcm(to_pcm(np.array([1.4, -40000, 40000], np.float32)))) == [1, -32768, 32767]
