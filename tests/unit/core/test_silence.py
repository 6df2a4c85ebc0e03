"""Dead air, on sequences of frames: `c` the caller is heard, `a` the agent, `.` nobody."""

import pytest

from gateway.core.silence import DeadAir, SilenceMeter


class Line:
    def __init__(self) -> None:
        self.meter = SilenceMeter()
        self.now = 100.0
        self.found: list[DeadAir] = []

    def hear(self, pattern: str) -> None:
        for mark in pattern:
            self.now += 0.02
            found = self.meter.frame(mark == "c", mark == "a", self.now)
            self.found += [found] if found is not None else []


@pytest.mark.parametrize("pattern", ["c" + "." * 99 + "a", "a" + "." * 60 + "c" + "." * 60 + "a", "ca" * 200])
def test_short_silences_belong_to_a_conversation(pattern: str) -> None:
    line = Line()
    line.hear(pattern)
    assert line.found == []


@pytest.mark.parametrize(("first", "after"), [("c", "caller"), ("a", "agent"), ("", None)])
def test_a_long_silence_is_told_when_it_ends(first: str, after: str | None) -> None:
    line = Line()
    line.hear(first + "." * 151)
    assert line.found == []
    line.hear("a")
    (found,) = line.found
    assert found.after == after
    assert found.duration_ms == pytest.approx(3000)
    assert found.began_s == pytest.approx(100.02 + 0.02 * len(first))


def test_a_conversation_that_ends_in_silence_has_it_counted_once() -> None:
    line = Line()
    line.hear("a" + "." * 151)
    found = line.meter.end()
    assert found is not None
    assert found.duration_ms == pytest.approx(3000)
    assert line.meter.end() is None


def test_time_without_frames_is_no_silence() -> None:
    line = Line()
    line.hear("a" + "." * 50)
    line.now += 60
    line.hear("." * 50 + "a")
    assert line.found == []
