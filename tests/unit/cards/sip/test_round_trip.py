"""What can be believed of PJSIP's round trips."""

from gateway.cards.sip.round_trip import RoundTrip, RttStat


class Pjsip:
    """Keeps statistics as PJSIP does."""

    def __init__(self) -> None:
        self._values: list[int] = []

    def measures(self, rtt_ms: float) -> RttStat:
        us = round(rtt_ms * 1000)
        if self._values:
            us = min(us, 3 * (sum(self._values) // len(self._values)))
        self._values.append(us)
        return self.now()

    def now(self) -> RttStat:
        last = self._values[-1] if self._values else 0
        mean = sum(self._values) // len(self._values) if self._values else 0
        return RttStat(len(self._values), last, mean)


def after(trip: RoundTrip, stat: RttStat) -> float | None:
    """What is known when it has been read."""
    trip.read(stat)
    return trip.rtt_ms


def test_nothing_is_known_before_the_first_report() -> None:
    trip = RoundTrip()
    trip.read(Pjsip().now())
    assert trip.rtt_ms is None


def test_measurements_are_taken_as_they_are() -> None:
    trip, pjsip = RoundTrip(), Pjsip()
    values = [80.0, 95.0, 60.0, 170.0]
    assert [after(trip, pjsip.measures(value)) for value in values] == values


def test_a_value_that_was_cut_is_the_least_it_can_be() -> None:
    trip, pjsip = RoundTrip(), Pjsip()
    trip.read(pjsip.measures(30.0))
    trip.read(pjsip.measures(400.0))
    assert trip.rtt_ms == 90.0


def test_a_delay_that_comes_after_a_loopback_is_not_known_at_once() -> None:
    trip, pjsip = RoundTrip(), Pjsip()
    assert after(trip, pjsip.measures(0.6)) == 0.6
    found = [after(trip, pjsip.measures(113.0)) for _ in range(40)]
    assert found[0] is None, "PJSIP says 1.8"
    assert found[-1] == 113.0
    assert all(rtt_ms is None or rtt_ms >= 15 for rtt_ms in found)


def test_the_same_statistics_again_are_no_news() -> None:
    trip, pjsip = RoundTrip(), Pjsip()
    trip.read(pjsip.measures(50.0))
    trip.read(pjsip.now())
    assert trip.rtt_ms == 50.0


def test_a_new_stream_begins_anew() -> None:
    trip, first, second = RoundTrip(), Pjsip(), Pjsip()
    for _ in range(3):
        trip.read(first.measures(10.0))
    trip.read(second.measures(120.0))
    assert trip.rtt_ms == 120.0
