"""Bytes, samples and milliseconds."""

import pytest

from gateway.core.audio import PcmFormat, WireFormat


@pytest.mark.parametrize(("rate_hz", "samples"), [(8000, 160), (16000, 320), (24000, 480), (48000, 960)])
def test_a_frame_is_twenty_milliseconds(rate_hz: int, samples: int) -> None:
    pcm = PcmFormat(rate_hz)
    assert (pcm.frame_samples, pcm.frame_bytes) == (samples, 2 * samples)
    assert pcm.duration_ms(pcm.frame_bytes) == 20
    assert pcm.silence(20) == bytes(pcm.frame_bytes)
    assert pcm.duration_ms(len(pcm.silence(1234))) == 1234


def test_wire_formats() -> None:
    assert {f: (f.sample_rate_hz, f.bytes_per_sample) for f in WireFormat} == {
        WireFormat.PCMU: (8000, 1),
        WireFormat.PCMA: (8000, 1),
        WireFormat.PCM24K: (24000, 2),
    }
