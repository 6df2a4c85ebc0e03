"""Queues and senders that fall behind."""

from gateway.core.quality.rise import DelayRise


def test_a_queue_is_believed() -> None:
    rise = DelayRise()
    assert rise.believe(0.0, 40.0, 0.0) == 0.0
    assert rise.believe(200.0, 240.0, 1.0) == 200.0


def test_a_sender_that_falls_behind_has_no_queue() -> None:
    rise = DelayRise()
    found = [rise.believe(700.0 * second, 60.0 + second % 3, float(second)) for second in range(30)]
    assert all(each is not None and each <= 2.0 for each in found)


def test_without_round_trips_there_is_nothing_to_doubt_it_by() -> None:
    rise = DelayRise()
    assert rise.believe(200.0, None, 0.0) == 200.0
    assert rise.believe(None, 40.0, 1.0) is None


def test_a_longer_way_is_the_usual_one_after_a_minute() -> None:
    rise = DelayRise()
    rise.believe(0.0, 40.0, 0.0)
    found = [rise.believe(500.0, 140.0, float(second)) for second in range(1, 70)]
    assert found[0] == 100.0
    assert found[-1] == 0.0
