"""Runs of audio, in virtual time."""

import pytest

from gateway.backends.audio_runs import GAP_S, AudioRuns


@pytest.fixture
def runs() -> AudioRuns:
    return AudioRuns("x")


def test_audio_without_a_pause_is_one_run(runs: AudioRuns) -> None:
    assert runs.add(0.02, 10.0) == (None, "x_1")
    assert runs.add(0.02, 10.02) == (None, "x_1")
    assert runs.current == "x_1"


def test_a_burst_lasts_as_long_as_it_takes_to_play(runs: AudioRuns) -> None:
    runs.add(3.0, 10.0)
    runs.add(2.0, 10.1)
    assert runs.next_deadline() == pytest.approx(15.0 + GAP_S)
    assert runs.handle_timeout(15.0) is None
    assert runs.add(1.0, 15.0) == (None, "x_1")


def test_a_pause_ends_a_run(runs: AudioRuns) -> None:
    runs.add(1.0, 10.0)
    assert runs.handle_timeout(11.0 + GAP_S) == "x_1"
    assert runs.current is None
    assert runs.next_deadline() is None
    assert runs.handle_timeout(99.0) is None
    assert runs.add(1.0, 12.0) == (None, "x_2")


def test_audio_after_a_pause_tells_what_ended(runs: AudioRuns) -> None:
    runs.add(1.0, 10.0)
    assert runs.add(1.0, 12.0) == ("x_1", "x_2")
    assert runs.next_deadline() == pytest.approx(13.0 + GAP_S)


def test_a_service_may_end_a_run(runs: AudioRuns) -> None:
    assert runs.end() is None
    runs.add(1.0, 10.0)
    assert runs.end() == "x_1"
    assert runs.add(1.0, 10.1) == (None, "x_2")


def test_what_was_thrown_away_need_not_be_waited_for(runs: AudioRuns) -> None:
    runs.add(60.0, 10.0)
    runs.flushed(12.0)
    assert runs.add(0.02, 12.1) == (None, "x_1")
    assert runs.add(0.02, 13.0) == ("x_1", "x_2")


def test_silence_neither_begins_a_run_nor_keeps_it_going(runs: AudioRuns) -> None:
    assert runs.add_silence(1.0, 9.0) == (None, None)
    runs.add(1.0, 10.0)
    assert runs.add_silence(0.1, 11.0) == (None, "x_1")
    assert runs.next_deadline() == pytest.approx(11.0 + GAP_S)
    assert runs.add_silence(0.1, 11.0 + GAP_S) == ("x_1", None)


def test_silence_between_words_of_a_burst_takes_its_time(runs: AudioRuns) -> None:
    runs.add(1.0, 10.0)
    runs.add_silence(0.5, 10.0)
    runs.add(1.0, 10.0)
    assert runs.next_deadline() == pytest.approx(12.5 + GAP_S)
