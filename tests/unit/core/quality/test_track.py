"""How good a line was, kept in a bounded number of points."""

from gateway.core.quality.track import MAX_POINTS, QualityPoint, QualityTrack


def point(second: int, mos: float = 4.3, loss: float = 0.0, **more: object) -> QualityPoint:
    values: dict[str, object] = {
        "at_ms": 1000.0 * second,
        "received_loss": loss,
        "sent_loss": None,
        "received_mos": mos,
        "sent_mos": None,
        "rtt_ms": None,
        "jitter_ms": 1.0,
        "tier": "PCMU/20",
    }
    return QualityPoint(**(values | more))  # type: ignore[arg-type]


def test_a_track_without_points_knows_nothing() -> None:
    track = QualityTrack()
    assert (track.points, track.mos_min, track.mos_mean) == ((), None, None)


def test_each_second_is_a_point_at_first() -> None:
    track = QualityTrack()
    seconds = [point(second) for second in range(100)]
    for each in seconds:
        track.add(each)
    assert track.points == tuple(seconds)


def test_the_worse_direction_counts() -> None:
    track = QualityTrack()
    track.add(point(1, 4.0))
    track.add(point(2, 4.0, sent_mos=2.0))
    assert track.mos_min == 2.0
    assert track.mos_mean == 3.0


def test_a_long_call_is_bounded_and_keeps_its_worst_second() -> None:
    track = QualityTrack()
    for second in range(10_000):
        bad = second == 7_777
        track.add(point(second, 1.5 if bad else 4.0, 0.5 if bad else 0.0))
        assert len(track.points) <= MAX_POINTS
    worst = min(track.points, key=lambda each: each.mos)
    assert (worst.received_mos, worst.received_loss) == (1.5, 0.5)
    assert abs(worst.at_ms - 7_777_000) < 32_000
    assert track.points[-1].at_ms == 9_999_000
    assert [each.at_ms for each in track.points] == sorted(each.at_ms for each in track.points)
    assert track.mos_min == 1.5


def test_what_is_known_of_one_second_holds_for_its_point() -> None:
    track = QualityTrack()
    for second in range(2 * MAX_POINTS):
        track.add(point(second, sent_loss=0.1 if second % 2 else None, rtt_ms=20.0 + second % 2))
    assert {each.sent_loss for each in track.points} == {0.1}
    assert {each.rtt_ms for each in track.points} == {21.0}
