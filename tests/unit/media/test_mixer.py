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


@pytest.mark.parametrize(
    ("ppm", "minutes"),
    [
        (-2000.0, 4),
        (2000.0, 4),
        pytest.param(-200.0, 60, marks=pytest.mark.long),
        pytest.param(200.0, 60, marks=pytest.mark.long),
    ],
)
def test_two_clocks_build_no_delay_and_are_evened_out_unheard(ppm: float, minutes: int) -> None:
    """`ppm`: by how much the party's clock is faster than ours; sound cards differ by up to 200."""
    mixer: Mixer[str] = Mixer(NARROW)
    mixer.join("ear", NARROW)
    mixer.join("far", NARROW)
    frame = Tone(400, NARROW).frame()  # 8 whole periods, so that it can be repeated for ever
    sent, largest_step, silent, end = 0, 0, 0, 0
    for tick in range(minutes * 3000):
        while sent * (1 - ppm * 1e-6) <= tick + 0.35:
            mixer.push("far", frame)
            sent += 1
        heard = np.frombuffer(mixer.tick()["ear"], np.int16).astype(np.int32)
        largest_step = max(largest_step, int(np.abs(np.diff(heard, prepend=end)).max()))
        silent += not heard.any()
        end = int(heard[-1])
    stats, slips = mixer.stats("far"), round(minutes * 60 * abs(ppm) * 1e-6 / 0.02)
    assert stats.spliced == pytest.approx(slips if ppm > 0 else 0, abs=1)
    assert stats.stretched == pytest.approx(slips if ppm < 0 else 0, abs=1)
    assert (stats.repeated, stats.dropped) == (0, 0)
    assert silent <= 2, "only before the cushion has gathered"
    # A 400 Hz tone of this level moves by at most 1571 from one sample to the next.
    assert largest_step <= 1.1 * 1571


def test_a_party_that_pauses_in_the_middle_of_a_word_does_not_click() -> None:
    mixer: Mixer[str] = Mixer(NARROW)
    mixer.join("ear", NARROW)
    mixer.join("far", NARROW)
    far, heard = Tone(310, NARROW), bytearray()
    for tick in range(200):
        if not (50 <= tick < 60 or 120 <= tick < 121):
            mixer.push("far", far.frame())
        heard += mixer.tick()["ear"]
    assert mixer.stats("far").repeated >= 1
    assert np.max(np.abs(np.diff(samples(bytes(heard))))) < 1.1 * 1217


def test_a_burst_is_bounded_and_counted() -> None:
    mixer: Mixer[str] = Mixer(NARROW)
    mixer.join("ear", NARROW)
    mixer.join("far", NARROW)
    mixer.push("far", Tone(400, NARROW).frame(160 * 50))
    assert mixer.stats("far").dropped == 50 - LIMIT_MS // 20
    assert str(mixer.stats("far")) == f"dropped {50 - LIMIT_MS // 20}"


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
