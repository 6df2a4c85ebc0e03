"""The circuit breaker in a time of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.health.breaker import Breaker, BreakerSettings

SETTINGS = BreakerSettings()


@pytest.fixture
def breaker() -> Breaker:
    return Breaker()


def opened(breaker: Breaker, now: float) -> float:
    for n in range(SETTINGS.failures):
        assert breaker.admit(now + n)
        breaker.failed(now + n)
    return now + SETTINGS.failures - 1


def test_a_few_failures_do_not_open_it(breaker: Breaker) -> None:
    for n in range(4):
        breaker.failed(float(n))
    assert breaker.admit(4.0)
    assert breaker.state(4.0) == "closed"


def test_enough_failures_open_it(breaker: Breaker) -> None:
    at = opened(breaker, 100.0)
    assert breaker.state(at) == "open"
    assert not breaker.admit(at + 4.9)
    assert breaker.retry_after_s(at + 4.0) == pytest.approx(1.0)


def test_failures_among_many_successes_do_not_open_it(breaker: Breaker) -> None:
    for n in range(20):
        breaker.succeeded(100 + n * 0.1)
        breaker.failed(100 + n * 0.1) if n % 3 == 0 else breaker.succeeded(100 + n * 0.1)
    assert breaker.state(102) == "closed"


def test_failures_far_apart_do_not_open_it(breaker: Breaker) -> None:
    for n in range(20):
        breaker.failed(n * 8.0)
    assert breaker.state(160.0) == "closed"


def test_half_open_lets_one_probe_through_and_two_successes_close_it(breaker: Breaker) -> None:
    now = opened(breaker, 100.0) + SETTINGS.open_s
    assert breaker.state(now) == "half_open"
    assert [breaker.admit(now) for _ in range(3)] == [True, False, False]
    breaker.succeeded(now + 1)
    assert breaker.state(now + 1) == "half_open"
    assert breaker.admit(now + 1)
    breaker.succeeded(now + 2)
    assert breaker.state(now + 2) == "closed"
    assert all(breaker.admit(now + 2) for _ in range(10))


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_limit(breaker: Breaker) -> None:
    now = opened(breaker, 100.0)
    waits = []
    for _ in range(7):
        waits.append(breaker.retry_after_s(now))
        now += waits[-1]
        assert breaker.admit(now)
        breaker.failed(now)
    assert waits == [5, 10, 20, 40, 80, 120, 120]


def test_once_closed_it_starts_with_short_waits_again(breaker: Breaker) -> None:
    now = opened(breaker, 100.0) + 5
    breaker.admit(now)
    breaker.failed(now)
    now += 10
    for _ in range(2):
        assert breaker.admit(now)
        breaker.succeeded(now)
    at = opened(breaker, now)
    assert breaker.retry_after_s(at) == 5


def test_a_probe_that_is_abandoned_or_forgotten_makes_room(breaker: Breaker) -> None:
    now = opened(breaker, 100.0) + 5
    assert breaker.admit(now)
    breaker.abandoned(now + 1)
    assert breaker.admit(now + 1)
    assert not breaker.admit(now + 15.9)
    assert breaker.admit(now + 16)


def test_losses_of_old_sessions_do_not_prolong_it(breaker: Breaker) -> None:
    at = opened(breaker, 100.0)
    for n in range(50):
        breaker.failed(at + n * 0.05)
    assert breaker.retry_after_s(at) == 5


@given(st.lists(st.tuples(st.sampled_from(["admit", "good", "bad", "gone"]), st.floats(0, 20)), max_size=200))
def test_open_admits_nobody_and_always_ends(story: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for what, gap in story:
        now += gap
        state = breaker.state(now)
        match what:
            case "admit":
                admitted = breaker.admit(now)
                assert admitted if state == "closed" else True
                assert not admitted if state == "open" else True
            case "good":
                breaker.succeeded(now)
            case "bad":
                breaker.failed(now)
            case _:
                breaker.abandoned(now)
        assert breaker.retry_after_s(now) <= SETTINGS.most_open_s
    later = now + SETTINGS.most_open_s + SETTINGS.probe_within_s
    assert breaker.admit(later)
