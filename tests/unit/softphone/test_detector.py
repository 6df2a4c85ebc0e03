import math

import numpy as np
import pytest

from gateway.softphone.detector import (
    DetectorSettings,
    SoundDetector,
    SoundEvent,
    SoundStarted,
    SoundStopped,
    level_dbfs,
    loud_span_frames,
)
from tests.unit.softphone.signals import FRAME_S, frames


def run(detector: SoundDetector, pattern: str) -> list[SoundEvent]:
    events = (detector.push(frame, i * FRAME_S) for i, frame in enumerate(frames(pattern)))
    return [event for event in events if event is not None]


def test_level_of_a_sine_is_3_db_below_its_peak() -> None:
    t = np.arange(160) / 8000
    sine = (np.sin(2 * np.pi * 500 * t) * 3276.8).astype("<i2").tobytes()
    assert level_dbfs(sine) == pytest.approx(-23.01, abs=0.05)


def test_level_of_nothing_is_minus_infinity() -> None:
    assert level_dbfs(b"") == -math.inf
    assert level_dbfs(bytes(320)) == -math.inf


def test_a_sound_starts_at_its_first_loud_frame_and_stops_at_the_end_of_its_last() -> None:
    settings = DetectorSettings(hang_s=0.1)
    started, stopped = run(SoundDetector(settings), "...####.......")
    assert isinstance(started, SoundStarted)
    assert isinstance(stopped, SoundStopped)
    assert started.at_s == pytest.approx(0.06)
    assert stopped.at_s == pytest.approx(0.14)


def test_a_pause_shorter_than_the_hang_time_belongs_to_the_sound() -> None:
    settings = DetectorSettings(hang_s=0.1)
    events = run(SoundDetector(settings), "##...##......")
    assert [type(e) for e in events] == [SoundStarted, SoundStopped]
    assert events[1].at_s == pytest.approx(0.14)


def test_a_single_click_is_no_sound() -> None:
    detector = SoundDetector()
    assert run(detector, "..#............#......") == []
    assert not detector.sounding


def test_sounding_lasts_until_the_stop_is_certain() -> None:
    detector = SoundDetector(DetectorSettings(hang_s=0.1))
    run(detector, "##...")
    assert detector.sounding
    assert detector.last_loud_s == pytest.approx(0.04)


def test_loud_span_leaves_out_silence_at_both_ends() -> None:
    assert loud_span_frames(frames("..#.#..."), -42) == (2, 4)
    assert loud_span_frames(frames("....."), -42) is None
