"""G.711 companding."""

import numpy as np
import pytest

from gateway.media import g711
from tests.sounds import samples

ALL_BYTES = bytes(range(256))
RAMP = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)


@pytest.mark.parametrize(
    ("encode", "decode"), [(g711.ulaw_encode, g711.ulaw_decode), (g711.alaw_encode, g711.alaw_decode)]
)
def test_decoded_audio_encodes_to_values_that_sound_the_same(encode: object, decode: object) -> None:
    assert callable(encode)
    assert callable(decode)
    pcm = decode(ALL_BYTES)
    assert decode(encode(pcm)) == pcm


def test_mu_law_code_words() -> None:
    # ITU-T G.711 table 2a: the ends and the middle of the range.
    assert g711.ulaw_decode(b"\x80\x00\xff\x7f") == np.array([32124, -32124, 0, 0], "<i2").tobytes()


def test_a_law_code_words() -> None:
    # ITU-T G.711 table 1a, even bits inverted.
    assert g711.alaw_decode(b"\xaa\x2a\xd5\x55") == np.array([32256, -32256, 8, -8], "<i2").tobytes()


@pytest.mark.parametrize(
    ("encode", "decode"), [(g711.ulaw_encode, g711.ulaw_decode), (g711.alaw_encode, g711.alaw_decode)]
)
def test_the_error_is_that_of_eight_bits(encode: object, decode: object) -> None:
    assert callable(encode)
    assert callable(decode)
    error = samples(decode(encode(RAMP.tobytes()))) - RAMP
    loud = np.abs(RAMP) > 1000
    assert (np.abs(error[loud]) / np.abs(RAMP[loud].astype(float))).max() < 0.04


def test_rms() -> None:
    assert g711.rms(np.full(160, -1000, np.int16).tobytes()) == 1000
    assert g711.rms(bytes(320)) == 0
