"""Chains between a leg and a backend."""

import numpy as np
import pytest

from gateway.core.audio import PcmFormat, WireFormat
from gateway.media import g711
from gateway.media.transcoder import decoder, encoder
from tests.sounds import frames, samples, tone

NARROW, WIDE = PcmFormat(8000), PcmFormat(16000)


@pytest.mark.parametrize(
    ("source", "wire", "there", "back"),
    [
        (NARROW, WireFormat.PCMU, "pcm@8000 -> pcmu", "pcmu -> pcm@8000"),
        (NARROW, WireFormat.PCMA, "pcm@8000 -> pcma", "pcma -> pcm@8000"),
        (NARROW, WireFormat.PCM24K, "pcm@8000 -> pcm@24000", "pcm24k -> pcm@8000"),
        (WIDE, WireFormat.PCMU, "pcm@16000 -> pcm@8000 -> pcmu", "pcmu -> pcm@8000 -> pcm@16000"),
        (WIDE, WireFormat.PCM24K, "pcm@16000 -> pcm@24000", "pcm24k -> pcm@16000"),
    ],
)
def test_a_chain_describes_itself(source: PcmFormat, wire: WireFormat, there: str, back: str) -> None:
    assert encoder(source, wire).describe() == there
    assert decoder(wire, source).describe() == back


def test_a_g711_call_is_not_resampled() -> None:
    pcm = g711.ulaw_decode(bytes(range(128)))
    assert decoder(WireFormat.PCMU, NARROW).process(encoder(NARROW, WireFormat.PCMU).process(pcm)) == pcm


@pytest.mark.parametrize("source", [NARROW, WIDE])
@pytest.mark.parametrize("wire", list(WireFormat))
def test_there_and_back_a_tone_keeps_its_level_and_its_length(source: PcmFormat, wire: WireFormat) -> None:
    said = tone(1000, 1000, source.sample_rate_hz)
    there, back = encoder(source, wire), decoder(wire, source)
    sent = [there.process(frame) for frame in frames(said, source)]
    size = wire.sample_rate_hz // 50 * wire.bytes_per_sample
    assert {len(data) for data in sent} == {size}
    heard = samples(b"".join(map(back.process, sent)))
    assert len(heard) == len(said) // 2
    x = heard[len(heard) // 4 :]
    t = np.arange(len(x)) / source.sample_rate_hz
    amplitude = 2 * abs(np.mean(x * np.exp(-2j * np.pi * 1000 * t)))
    assert 20 * np.log10(amplitude / 12000) == pytest.approx(0, abs=0.15)
