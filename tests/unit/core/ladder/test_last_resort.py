"""What happens when no rung is left."""

from gateway.core.ladder.last_resort import LastResorts, ResortSettings, ResortStep

STEPS: tuple[ResortStep, ...] = ("tell_caller", "slow_agent", "transfer")


def taken(*story: tuple[bool, float, int]) -> list[tuple[int, ResortStep]]:
    resorts, second, steps = LastResorts(ResortSettings(STEPS)), 0, []
    for stuck, score, seconds in story:
        for _ in range(seconds):
            second += 1
            steps += [(second, step) for step in resorts.handle(stuck, [4.4, score], float(second))]
    return steps


def test_steps_come_in_order_with_time_between_and_once_each() -> None:
    assert taken((True, 2.0, 200)) == [(11, "tell_caller"), (26, "slow_agent"), (41, "transfer")]


def test_as_long_as_a_rung_is_left_or_it_can_be_understood_nothing_happens() -> None:
    assert taken((False, 1.0, 100), (True, 2.7, 100)) == []


def test_a_recovery_ends_it_and_the_next_trouble_goes_on_with_the_next_step() -> None:
    assert taken((True, 2.0, 11), (True, 4.0, 1), (True, 2.0, 15)) == [
        (11, "tell_caller"),
        (26, "slow_agent"),
    ]
