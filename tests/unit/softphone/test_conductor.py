from collections.abc import Iterable

import pytest

from gateway.softphone.conductor import Conductor, Order, StepDone, StepFailed
from gateway.softphone.measure import CallLog
from gateway.softphone.script import Hangup, Hold, PressKeys, parse_script
from tests.unit.softphone.signals import FORMAT, FRAME_S, LOUD, QUIET, frames

WORD = b"".join(frames(".###."))


class Line:
    """Drives a conductor frame by frame and keeps what it said and ordered."""

    def __init__(self, text: str) -> None:
        self.log = CallLog(invited_s=0.0, answered_s=0.0)
        self.conductor = Conductor(FORMAT, {"word": WORD}, self.log)
        for step in parse_script(text):
            self.conductor.add(step)
        self.conductor.close()
        self.now_s = 0.0
        self.said: list[bytes | None] = []
        self.orders: list[Order] = []

    def hear(self, heard: Iterable[bytes]) -> None:
        for frame in heard:
            self.conductor.hear(frame, self.now_s)
            self.said.append(self.conductor.speak(self.now_s))
            self.orders += self.conductor.take_orders()
            self.now_s += FRAME_S


def test_say_speaks_the_recording_from_the_first_tick_and_logs_its_loud_part() -> None:
    line = Line("say word")
    line.hear(frames("......."))
    assert line.said == [QUIET, LOUD, LOUD, LOUD, QUIET, None, None]
    utterance = line.log.utterances[0]
    assert utterance.start_s == pytest.approx(0.02)
    assert utterance.end_s == pytest.approx(0.08)
    assert line.conductor.done


def test_hear_waits_for_sound_before_the_next_step() -> None:
    line = Line("hear\nsay word")
    line.hear(frames("....."))
    assert line.said == [None] * 5
    line.hear(frames("##..."))
    assert line.said[5:] == [None, QUIET, LOUD, LOUD, LOUD]


def test_hear_fails_when_its_time_is_up() -> None:
    line = Line("hear 1")
    line.hear(frames("." * 50))
    with pytest.raises(StepFailed, match="hear: not within 1 s"):
        line.hear(frames("."))


def test_silence_waits_for_the_end_of_sound() -> None:
    line = Line("hear\nsilence\nsay word")
    line.hear(frames("#" * 10 + "." * 30))
    first_said = next(i for i, frame in enumerate(line.said) if frame is not None)
    assert first_said * FRAME_S == pytest.approx(9 * FRAME_S + 0.4)


def test_interrupt_begins_after_the_overlap_and_restarts_when_the_line_falls_silent() -> None:
    line = Line("interrupt word 300")
    line.hear(frames("#" * 5 + "." * 40))
    assert line.said == [None] * 45
    line.hear(frames("#" * 25))
    first_said = next(i for i, frame in enumerate(line.said) if frame is not None)
    assert first_said == 45 + 1 + 15
    assert line.log.figures().turns[0].interrupted


def test_an_interrupted_far_end_is_measured() -> None:
    line = Line("interrupt word 100\nhear")
    line.hear(frames("#" * 12 + "." * 40))
    turn = line.log.figures().turns[0]
    assert turn.barge_in_stop_ms == pytest.approx(12 * 20 - (6 + 1) * 20)


def test_orders_come_in_turn() -> None:
    line = Line("dtmf 5\nhold\nresume\nhangup")
    line.hear(frames("......"))
    assert line.orders == [PressKeys("5"), Hold(True), Hold(False), Hangup()]
    assert line.conductor.done


def test_pause_counts_by_the_clock() -> None:
    line = Line("pause 0.1\ndtmf 1")
    line.hear(frames("....."))
    assert line.orders == []
    line.hear(frames(".."))
    assert line.orders == [PressKeys("1")]


def test_a_hangup_of_the_far_end_fails_a_step_that_needs_it() -> None:
    line = Line("hear 5")
    line.conductor.on_ended()
    with pytest.raises(StepFailed, match="hear: the far end hung up"):
        line.hear(frames("."))


def test_a_hangup_of_the_far_end_fulfils_ended() -> None:
    line = Line("ended 5")
    line.hear(frames(".."))
    line.conductor.on_ended()
    line.hear(frames("."))
    assert line.conductor.done


def test_the_end_of_the_call_ends_silence_and_pause() -> None:
    line = Line("hear\nsilence 5\npause 5")
    line.hear(frames("####"))
    line.conductor.on_ended()
    line.hear(frames("##"))
    assert line.conductor.done


def test_a_far_end_that_stays_fails_ended() -> None:
    line = Line("ended 0.1")
    with pytest.raises(StepFailed, match=r"did not hang up within 0\.1 s"):
        line.hear(frames("." * 10))


def test_steps_may_be_added_while_the_call_runs() -> None:
    conductor = Conductor(FORMAT, {}, CallLog())
    assert conductor.speak(0.0) is None
    assert not conductor.done
    step = parse_script("dtmf 1")[0]
    conductor.add(step)
    assert conductor.speak(0.02) is None
    assert conductor.speak(0.04) is None
    assert conductor.take_happenings() == [StepDone(step)]
    assert not conductor.done
    conductor.close()
    assert conductor.done
