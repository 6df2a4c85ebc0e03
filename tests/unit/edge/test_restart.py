"""Delays before a restart."""

from gateway.edge.restart import HEALTHY_S, MAX_DELAY_S, RestartPolicy


def test_at_once_first_then_growing_up_to_a_limit() -> None:
    policy = RestartPolicy()
    delays = [policy.delay_after(0.1) for _ in range(12)]
    assert delays[:4] == [0.0, 0.25, 0.5, 1.0]
    assert delays == sorted(delays)
    assert delays[-1] == MAX_DELAY_S
    assert policy.early_deaths == 12


def test_a_healthy_run_starts_over() -> None:
    policy = RestartPolicy()
    for _ in range(5):
        policy.delay_after(0.1)
    assert policy.delay_after(HEALTHY_S) == 0.0
    assert policy.delay_after(0.1) == 0.0
    assert policy.delay_after(0.1) == 0.25
