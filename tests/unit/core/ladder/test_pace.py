"""When a ladder may move."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ladder.pace import Direction, Pace, PaceSettings


class Clock:
    """Feeds a pace once a second and follows what it says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pace = Pace(PaceSettings(), self.now)
        self.moves: list[tuple[Direction, float]] = []

    def seconds(self, n: int, quality: str) -> list[Direction]:
        made: list[Direction] = []
        for _ in range(n):
            self.pace.observe(trouble=quality == "bad", remedy=True, good=quality == "good", now=self.now)
            due = self.pace.due(self.now)
            if due is not None:
                self.pace.moved(due, self.now)
                self.moves.append((due, self.now))
                made.append(due)
            self.now += 1.0
        return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_one_bad_second_moves_nothing(clock: Clock) -> None:
    for _ in range(30):
        assert clock.seconds(1, "bad") == []
        assert clock.seconds(1, "fair") == []


def test_lasting_trouble_moves_down_with_space_between(clock: Clock) -> None:
    assert clock.seconds(16, "bad") == ["down"] * 3
    assert [later - earlier for (_, earlier), (_, later) in pairwise(clock.moves)] == [5.0, 5.0]


def test_good_quality_moves_up_a_step_every_20_s(clock: Clock) -> None:
    assert clock.seconds(20, "good") == []
    assert clock.seconds(42, "good") == ["up"] * 2
    assert [later - earlier for (_, earlier), (_, later) in pairwise(clock.moves)] == [21.0]


def test_a_break_starts_the_wait_anew(clock: Clock) -> None:
    clock.seconds(19, "good")
    clock.seconds(1, "fair")
    assert clock.seconds(20, "good") == []
    assert clock.seconds(1, "good") == ["up"]


def test_each_relapse_doubles_the_patience_up_to_a_limit(clock: Clock) -> None:
    patience = []
    for _ in range(6):
        while clock.seconds(1, "good") != ["up"]:
            pass
        while clock.seconds(1, "bad") != ["down"]:
            pass
        patience.append(clock.pace.patience_s)
    assert patience == [40, 80, 160, 160, 160, 160]


def test_trouble_long_after_a_step_up_is_no_relapse(clock: Clock) -> None:
    clock.seconds(21, "good")
    clock.seconds(61, "fair")
    assert clock.seconds(3, "bad") == ["down"]
    assert clock.pace.patience_s == 20


def test_relapses_are_forgiven_after_ten_calm_minutes(clock: Clock) -> None:
    clock.seconds(21, "good")
    clock.seconds(8, "bad")
    assert clock.pace.patience_s == 40
    clock.seconds(599, "fair")
    clock.seconds(1, "bad")
    clock.seconds(599, "fair")
    assert clock.pace.patience_s == 40
    clock.seconds(1, "fair")
    assert clock.pace.patience_s == 20


@given(st.lists(st.tuples(st.sampled_from(["bad", "fair", "good"]), st.integers(1, 40)), max_size=40))
def test_never_two_changes_within_5_s_and_never_up_without_20_s_of_good(
    phases: list[tuple[str, int]],
) -> None:
    clock = Clock()
    history: list[str] = []
    for quality, seconds in phases:
        for _ in range(seconds):
            made = clock.seconds(1, quality)
            history.append(quality)
            if made == ["up"]:
                assert history[-21:] == ["good"] * 21
            if made == ["down"]:
                assert history[-3:] == ["bad"] * 3
    assert all(later - earlier >= 5.0 for (_, earlier), (_, later) in pairwise(clock.moves))
