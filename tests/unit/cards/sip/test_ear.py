"""What is heard while a stream is replaced."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.cards.sip.contract import MediaInfo
from gateway.cards.sip.ear import Ear
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId
from gateway.wire.frames import HeardFlag, unpack_heard

Pcm = NDArray[np.int16]
RATES_HZ = [8000, 16000]
GONE = b""
PCMU = MediaInfo("PCMU", 8000, 20, srtp=False, sending=True, receiving=True)
ILBC = replace(PCMU, codec="iLBC", ptime_ms=30)


def change(ear: Ear) -> None:
    ear.coded(PCMU)
    ear.coded(ILBC)


def tone(hz: float, rate_hz: int, frames: int, start: int = 0) -> list[bytes]:
    size = rate_hz // 50
    at = np.arange(start * size, (start + frames) * size) / rate_hz
    wave = (8000 * np.sin(2 * np.pi * hz * at)).astype("<i2")
    return [wave[i : i + size].tobytes() for i in range(0, len(wave), size)]


def heard(ear: Ear, frames: list[bytes]) -> tuple[Pcm, list[int]]:
    """All that comes out, and each frame's flags."""
    out, flags = [], []
    for frame in frames:
        ear.hear(frame)
        ((leg, flag, pcm),) = unpack_heard(ear.record(LegId(3)))
        assert leg == 3
        out.append(pcm)
        flags.append(flag)
    return np.frombuffer(b"".join(out), "<i2"), flags


def loudest(pcm: Pcm, rate_hz: int, ms: int = 10) -> list[int]:
    size = rate_hz * ms // 1000
    return [int(np.abs(pcm[i : i + size].astype(int)).max()) for i in range(0, len(pcm), size)]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_frames_pass_as_they_are_and_missing_ones_are_silence(rate_hz: int) -> None:
    ear, frames = Ear(PcmFormat(rate_hz)), tone(440, rate_hz, 5)
    pcm, flags = heard(ear, [*frames, GONE, *frames])
    size = rate_hz // 50
    assert pcm.tobytes() == b"".join([*frames, bytes(2 * size), *frames])
    assert flags == [0] * 5 + [HeardFlag.CONCEALED] + [0] * 5


def test_zeros_with_which_a_stream_begins_are_a_hole_too() -> None:
    ear = Ear(PcmFormat(8000))
    heard(ear, tone(200, 8000, 5))
    change(ear)
    pcm, flags = heard(ear, [bytes(320), bytes(320), *tone(200, 8000, 3, start=7)])
    assert min(loudest(pcm, 8000)) > 6000
    assert flags == [HeardFlag.CONCEALED] * 2 + [0] * 3


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("hz", [70, 123, 440, 1000])
def test_a_hole_of_three_frames_after_a_change_is_bridged_without_a_click(rate_hz: int, hz: float) -> None:
    ear = Ear(PcmFormat(rate_hz))
    before, after = tone(hz, rate_hz, 10), tone(hz, rate_hz, 10, start=13)
    first, _ = heard(ear, before)
    change(ear)
    rest, flags = heard(ear, [GONE, GONE, GONE, *after])
    assert flags == [HeardFlag.CONCEALED] * 3 + [0] * 10
    pcm = np.concatenate([first, rest])
    assert min(loudest(pcm, rate_hz, ms=20)) > 4000
    own = int(np.abs(np.diff(first.astype(int))).max())
    assert int(np.abs(np.diff(pcm.astype(int))).max()) < 1.2 * own + 1000
    assert rest[-8 * rate_hz // 50 :].tobytes() == b"".join(after[2:])


def test_what_stays_away_fades_within_120_ms_and_is_silence_then() -> None:
    ear = Ear(PcmFormat(8000))
    heard(ear, tone(200, 8000, 5))
    change(ear)
    pcm, _ = heard(ear, [GONE] * 20)
    levels = loudest(pcm, 8000, ms=20)
    assert levels[0] > 7500
    assert levels[:7] == sorted(levels[:7], reverse=True)
    assert levels[3] > 2000
    assert levels[6:] == [0] * 14


def test_a_stream_that_begins_in_the_middle_of_a_frame_is_joined_there() -> None:
    ear = Ear(PcmFormat(8000))
    heard(ear, tone(200, 8000, 5))
    change(ear)
    late = tone(200, 8000, 3, start=6)
    pcm, _ = heard(ear, [GONE, bytes(160) + late[0][160:], *late[1:]])
    assert min(loudest(pcm, 8000)) > 5000
    assert pcm[-320:].tobytes() == b"".join(late[1:])


def test_a_pause_of_the_speaker_after_the_change_stays_one() -> None:
    ear = Ear(PcmFormat(8000))
    heard(ear, tone(200, 8000, 5))
    change(ear)
    pcm, _ = heard(ear, [GONE, *tone(200, 8000, 2), bytes(320), bytes(320)])
    assert not pcm[-320:].any()


def test_an_agreement_on_the_same_coding_changes_nothing() -> None:
    ear = Ear(PcmFormat(8000))
    frames = [*tone(200, 8000, 5), *[bytes(320)] * 5]
    ear.coded(PCMU)
    heard(ear, frames[:5])
    ear.coded(replace(PCMU, offered=("PCMU", "GSM")))
    pcm, _ = heard(ear, frames[5:])
    assert not pcm.any()


def test_a_second_hole_soon_after_is_bridged_too_but_not_one_much_later() -> None:
    ear = Ear(PcmFormat(8000))
    heard(ear, tone(200, 8000, 5))
    change(ear)
    pcm, _ = heard(ear, [GONE, *tone(200, 8000, 3), GONE, *tone(200, 8000, 20), GONE])
    assert min(loudest(pcm[:-160], 8000)) > 4000
    assert not pcm[-160:].any()


def test_nobody_is_made_to_speak_out_of_silence() -> None:
    ear = Ear(PcmFormat(8000))
    change(ear)
    pcm, flags = heard(ear, [GONE] * 3 + tone(200, 8000, 2))
    assert not pcm[:480].any()
    assert min(loudest(pcm[-160:], 8000)) > 7000
    assert flags[:3] == [HeardFlag.CONCEALED] * 3


def test_no_frame_changes_its_length() -> None:
    ear, size = Ear(PcmFormat(8000)), 320
    noise = np.random.default_rng(5).integers(-9000, 9000, 160 * 40, dtype=np.int16)
    for at in range(40):
        if at % 9 == 4:
            change(ear)
        frame = noise[at * 160 : (at + 1) * 160].tobytes()
        ear.hear(GONE if at % 5 == 0 else frame)
        ((_, _, pcm),) = unpack_heard(ear.record(LegId(1)))
        assert len(pcm) == size
