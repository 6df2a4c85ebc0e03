"""How fast calls may begin at a card."""

from gateway.core.churn import BURST, PER_S, REMEMBER_S, Churn


def begun(churn: Churn, until_s: float, step_s: float) -> list[float]:
    """When calls were admitted that try every step_s."""
    times = [n * step_s for n in range(round(until_s / step_s))]
    return [now for n, now in enumerate(times) if churn.admit(b"call%d" % n, now)]


def test_sockets_of_the_calls_of_any_700_ms_have_room() -> None:
    admitted = begun(Churn(), 10.0, 0.001)
    most = max(sum(start <= now < start + 0.7 for now in admitted) for start in admitted)
    # RTP and RTCP of these and of four calls before; SIP and the waker take two more of 64.
    assert 2 * (most + 4) + 2 <= 64
    assert len(admitted) >= PER_S * 10


def test_calls_at_a_usual_pace_all_begin() -> None:
    assert len(begun(Churn(), 60.0, 0.1)) == 600


def test_an_invite_that_is_sent_again_passes_and_does_not_count() -> None:
    churn = Churn()
    assert all(churn.admit(b"%d" % n, 1.0) for n in range(BURST))
    assert all(churn.admit(b"0", 1.0) for _ in range(100))
    assert not churn.admit(b"other", 1.0)


def test_a_refused_call_may_try_again() -> None:
    churn = Churn()
    for n in range(BURST):
        churn.admit(b"%d" % n, 1.0)
    assert not churn.admit(b"late", 1.0)
    assert churn.admit(b"late", 1.0 + 1 / PER_S)


def test_calls_are_forgotten() -> None:
    churn = Churn()
    for n in range(1000):
        churn.admit(b"%d" % n, n / PER_S)
    assert len(churn._admitted) <= REMEMBER_S * PER_S + BURST
