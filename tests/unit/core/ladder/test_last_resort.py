"""What happens when no rung is left."""

from gateway.core.ladder.last_resort import LastResorts, ResortSettings


def taken(*story: tuple[bool, float, int]) -> list[int]:
    """The seconds at which it was told, three times at most. Of the story: stuck, score, for how long."""
    resorts, second, times = LastResorts(ResortSettings(times=3)), 0, []
    for stuck, score, seconds in story:
        for _ in range(seconds):
            second += 1
            if resorts.handle(stuck, [4.4, score], float(second)):
                times.append(second)
    return times


def test_it_is_told_with_time_between_and_not_for_ever() -> None:
    assert taken((True, 2.0, 200)) == [11, 26, 41]


def test_as_long_as_a_rung_is_left_or_it_can_be_understood_nothing_happens() -> None:
    assert taken((False, 1.0, 100), (True, 2.7, 100)) == []


def test_a_recovery_ends_it_and_the_next_trouble_is_told_again() -> None:
    assert taken((True, 2.0, 11), (True, 4.0, 1), (True, 2.0, 15)) == [11, 26]
