"""How many at once, how many a second."""

from gateway.core.bucket import TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(per_s=2.0, burst=3)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(10.4), bucket.take(10.5), bucket.take(10.6)] == [False, True, False]


def test_rest_fills_it_no_further_than_the_burst() -> None:
    bucket = TokenBucket(per_s=100.0, burst=2)
    bucket.take(0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]


def test_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = TokenBucket(per_s=1.0, burst=1)
    assert bucket.take(5.0)
    assert not bucket.take(4.0)


def test_what_costs_more_takes_more() -> None:
    bucket = TokenBucket(per_s=100, burst=200)
    assert bucket.take(0.0, 150)
    assert not bucket.take(0.0, 100)
    assert bucket.take(0.5, 100)
    assert not bucket.take(100.0, 201)


def test_asking_takes_nothing() -> None:
    bucket = TokenBucket(per_s=1, burst=1)
    assert bucket.ready(0.0)
    assert bucket.ready(0.0)
    assert bucket.take(0.0)
    assert not bucket.ready(0.5)
    assert bucket.ready(1.0)
