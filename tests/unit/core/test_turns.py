"""Turns measured on frame sequences, in a time of their own."""

import pytest

from gateway.core.turns import TurnMeter


class Line:
    """Feeds a meter with frames; `#` is speech, anything else is not."""

    def __init__(self) -> None:
        self.meter = TurnMeter()
        self.now = 100.0

    def hear(self, pattern: str) -> None:
        for mark in pattern:
            self.now += 0.02
            self.meter.caller_frame(mark == "#", self.now)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize("pattern", ["###...", "#.#.#.#.#.", "##.#..##.", "." * 50])
def test_short_bursts_are_no_speech(line: Line, pattern: str) -> None:
    line.hear(pattern)
    assert not line.meter.speaking


@pytest.mark.parametrize(("pattern", "onset_ms"), [("....####", 80), ("....##.##", 100), ("..####", 80)])
def test_an_onset_is_where_the_burst_began(line: Line, pattern: str, onset_ms: int) -> None:
    line.hear(pattern)
    assert line.meter.speaking
    assert line.now - line.meter.barge_in_from(line.now) == pytest.approx(onset_ms / 1000)


def test_speech_goes_on_over_short_pauses_and_ends_after_300_ms(line: Line) -> None:
    line.hear("####" + "." * 14 + "#" + "." * 14)
    assert line.meter.speaking
    line.hear(".")
    assert not line.meter.speaking


def test_the_response_delay_runs_from_the_last_word_to_the_first_audio(line: Line) -> None:
    line.hear("." * 10 + "#" * 50)
    ended = line.now
    line.hear("." * 25)
    line.meter.turn_over()
    line.hear("." * 10)
    assert line.meter.agent_started(line.now) == pytest.approx((line.now - ended) * 1000)
    assert line.meter.response_delays_ms == [pytest.approx(700)]


def test_audio_that_answers_no_turn_has_no_delay(line: Line) -> None:
    assert line.meter.agent_started(line.now) is None
    line.hear("#" * 20)
    assert line.meter.agent_started(line.now) is None, "the caller still speaks"
    line.meter.turn_over()
    assert line.meter.agent_started(line.now) is not None
    assert line.meter.agent_started(line.now) is None, "the second part of the same answer"


def test_a_turn_that_only_the_service_heard_is_not_measured_from_an_old_one(line: Line) -> None:
    line.hear("#" * 20)
    line.meter.turn_over()
    line.meter.agent_started(line.now)
    line.hear("." * 1000)
    line.meter.turn_over()
    assert line.meter.agent_started(line.now) is None


def test_a_cough_after_the_turn_does_not_shorten_the_delay(line: Line) -> None:
    line.hear("#" * 20)
    ended = line.now
    line.meter.turn_over()
    line.hear("." * 20 + "#" * 8 + "." * 5)
    assert line.meter.agent_started(line.now) == pytest.approx((line.now - ended) * 1000)


def test_a_turn_that_goes_on_is_measured_from_its_last_end(line: Line) -> None:
    line.hear("#" * 20)
    line.meter.turn_over()
    line.hear("." * 20 + "#" * 20)
    ended = line.now
    line.meter.turn_over()
    line.hear("." * 5)
    assert line.meter.agent_started(line.now) == pytest.approx((line.now - ended) * 1000)
    assert len(line.meter.response_delays_ms) == 1


def test_a_barge_in_is_timed_from_the_onset(line: Line) -> None:
    line.hear("." * 10)
    began = line.now
    line.hear("#" * 10)
    onset = line.meter.barge_in_from(line.now)
    assert onset == pytest.approx(began)
    assert line.meter.stopped(onset, line.now + 0.02) == pytest.approx(220)
    assert line.meter.barge_in_stops_ms == [pytest.approx(220)]


def test_an_old_onset_did_not_cause_a_barge_in_of_now(line: Line) -> None:
    line.hear("#" * 10 + "." * 200)
    assert line.meter.barge_in_from(line.now) == line.now


def test_a_silence_before_the_onset_counts_as_no_time(line: Line) -> None:
    assert line.meter.stopped(line.now, line.now - 1) == 0


def test_a_response_delay_is_split_where_it_was_spent(line: Line) -> None:
    line.hear("#" * 50)
    ended = line.now
    line.hear("." * 10)
    line.meter.turn_over(ended + 0.5)
    awaited = [line.meter.awaits_answer]
    line.meter.answer_came(ended + 0.9)
    awaited.append(line.meter.awaits_answer)
    assert awaited == [True, False]
    line.meter.answer_passed_on(ended + 0.901)
    assert line.meter.agent_started(ended + 0.93) == pytest.approx(930)
    parts = line.meter.parts
    assert parts is not None
    assert parts.detection_ms == pytest.approx(500)
    assert parts.backend_ms == pytest.approx(400)
    assert parts.gateway_ms == pytest.approx(1)
    assert parts.playout_ms == pytest.approx(29)


def test_parts_add_up_even_when_clocks_disagree(line: Line) -> None:
    line.hear("#" * 50)
    ended = line.now
    line.meter.turn_over(ended - 0.1)
    line.meter.answer_came(ended + 0.3)
    line.meter.answer_passed_on(ended + 0.31)
    assert line.meter.agent_started(ended + 0.305) == pytest.approx(305)
    parts = line.meter.parts
    assert parts is not None
    spent = [parts.detection_ms, parts.backend_ms, parts.gateway_ms, parts.playout_ms]
    assert spent == pytest.approx([0, 300, 5, 0])


def test_a_delay_whose_moments_are_unknown_has_no_parts(line: Line) -> None:
    line.hear("#" * 50)
    line.meter.turn_over()
    assert not line.meter.awaits_answer
    assert line.meter.agent_started(line.now + 1) is not None
    assert line.meter.parts is None


def test_a_caller_speaks_on_while_frames_of_speech_come(line: Line) -> None:
    line.hear("#" * 20)
    assert line.meter.caller_speaks_at(line.now + 0.05)
    line.hear("." * 6)
    assert not line.meter.caller_speaks_at(line.now)
