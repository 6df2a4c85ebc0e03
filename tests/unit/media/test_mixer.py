"""N-1 mixing, by tones: who hears whom, without clicks, drift or growing delay."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.core.audio import PcmFormat
from gateway.media.mixer import LIMIT_MS, Mixer

NARROW, WIDE = PcmFormat(8000), PcmFormat(16000)


class Tone:
    """A party that hums."""

    def __init__(self, hz: float, pcm_format: PcmFormat, level: float = 5000.0) -> None:
        self.hz, self.format, self.level = hz, pcm_format, level
        self._n = 0

    def frame(self, samples: int | None = None) -> bytes:
        count = self.format.frame_samples if samples is None else samples
        t = np.arange(self._n, self._n + count) / self.format.sample_rate_hz
        self._n += count
        return (self.level * np.sin(2 * np.pi * self.hz * t)).astype(np.int16).tobytes()


def samples(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, np.int16).astype(np.float64)


def tones(pcm: bytes, rate_hz: int) -> set[int]:
    """Frequencies, in steps of 100 Hz, that stand out."""
    x = samples(pcm)
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)))) / len(x) * 4
    hz = np.fft.rfftfreq(len(x), 1 / rate_hz)
    return {int(round(f, -2)) for f, a in zip(hz, spectrum, strict=True) if a > 1000}


def run(mixer: Mixer[str], parties: dict[str, Tone], ticks: int) -> dict[str, bytes]:
    heard: dict[str, bytearray] = {}
    for _ in range(ticks):
        for key, tone in parties.items():
            mixer.push(key, tone.frame())
        for key, pcm in mixer.tick().items():
            heard.setdefault(key, bytearray()).extend(pcm)
    return {key: bytes(pcm) for key, pcm in heard.items()}


def test_everybody_hears_the_others_and_not_themselves_at_any_rate() -> None:
    mixer: Mixer[str] = Mixer(WIDE)
    parties = {"a": Tone(500, NARROW), "b": Tone(1200, WIDE), "c": Tone(2500, NARROW)}
    for key, tone in parties.items():
        mixer.join(key, tone.format)
    heard = run(mixer, parties, 60)
    assert tones(heard["a"][-8000:], 8000) == {1200, 2500}
    assert tones(heard["b"][-16000:], 16000) == {500, 2500}
    assert tones(heard["c"][-8000:], 8000) == {500, 1200}


def test_a_listener_is_not_heard_and_a_speaker_may_be_deaf() -> None:
    mixer: Mixer[str] = Mixer(NARROW)
    parties = {"caller": Tone(500, NARROW), "ai": Tone(1200, NARROW), "whisper": Tone(2500, NARROW)}
    mixer.join("caller", NARROW)
    mixer.join("ai", NARROW, speaks=False)
    mixer.join("whisper", NARROW, listens=False)
    heard = run(mixer, parties, 60)
    assert "whisper" not in heard
    assert tones(heard["caller"][-8000:], 8000) == {2500}
    assert tones(heard["ai"][-8000:], 8000) == {500, 2500}


def test_joining_leaving_and_muting_do_not_click() -> None:
    mixer: Mixer[str] = Mixer(NARROW)
    mixer.join("ear", NARROW)
    hum = Tone(300, NARROW)
    heard = bytearray()
    for tick in range(60):
        if tick == 5:
            mixer.join("hum", NARROW)
        if tick == 25:
            mixer.set_gain("hum", 0.0)
        if tick == 35:
            mixer.set_gain("hum", 1.0)
        if tick == 50:
            mixer.leave("hum")
        mixer.push("hum", hum.frame())
        heard += mixer.tick()["ear"]
    # A 300 Hz tone of this level moves by at most 1178 from one sample to the next.
    assert np.max(np.abs(np.diff(samples(bytes(heard))))) < 1300
    assert mixer.parties == ("ear",)


@pytest.mark.parametrize("drift", [159, 161])
def test_an_hour_of_drift_builds_no_delay_and_few_repairs(drift: int) -> None:
    """A clock off by 0.6 % (a thousand times worse than real) for 36 s is an hour of 60 ppm."""
    mixer: Mixer[str] = Mixer(NARROW)
    mixer.join("ear", NARROW)
    mixer.join("far", NARROW)
    far = Tone(400, NARROW)
    for _ in range(1800):
        mixer.push("far", far.frame(drift))
        mixer.tick()
    stats = mixer.stats("far")
    assert stats.dropped == 0
    assert stats.spliced + stats.repeated <= 1800 / 160 + 3
    assert (stats.spliced > 0) == (drift > 160)


def test_a_burst_is_bounded_and_counted() -> None:
    mixer: Mixer[str] = Mixer(NARROW)
    mixer.join("ear", NARROW)
    mixer.join("far", NARROW)
    mixer.push("far", Tone(400, NARROW).frame(160 * 50))
    assert mixer.stats("far").dropped == 50 - LIMIT_MS // 20


def test_many_loud_parties_do_not_wrap_around() -> None:
    mixer: Mixer[str] = Mixer(NARROW)
    parties = {str(i): Tone(300, NARROW, 12000.0) for i in range(6)}
    for key in parties:
        mixer.join(key, NARROW)
    heard = samples(run(mixer, parties, 20)["0"])
    assert np.max(np.abs(np.diff(heard))) < 20000
    assert 31000 < np.max(heard) <= 32100


def test_a_stranger_is_an_error_except_for_late_audio() -> None:
    mixer: Mixer[str] = Mixer(NARROW)
    mixer.push("nobody", b"\0\0")
    with pytest.raises(KeyError):
        mixer.leave("nobody")
