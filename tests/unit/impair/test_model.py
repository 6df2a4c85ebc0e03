"""The model of a bad network: what it does to ten thousand packets in no time."""

from itertools import groupby, pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.impair.impairment import Impairment, Stall
from gateway.impair.model import HEADER_BYTES, Line

PACKET_S = 0.02
BYTES = 172


def run(
    impairment: Impairment, packets: int = 10_000, seed: int = 1, start: float = 5.0
) -> list[list[float]]:
    """Delays in seconds of each of many packets that are sent 20 ms apart."""
    line = Line(impairment, seed)
    times = [start + PACKET_S * n for n in range(packets)]
    return [[at - now for at in line.releases(BYTES, now)] for now in times]


def lost(delays: list[list[float]]) -> list[bool]:
    return [not each for each in delays]


def test_a_perfect_network_does_nothing() -> None:
    assert run(Impairment(), 100) == [[0.0]] * 100


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.3])
def test_independent_loss(loss: float) -> None:
    gone = lost(run(Impairment(loss=loss), 40_000))
    assert fmean(gone) == pytest.approx(loss, rel=0.1)
    runs = [len(list(spell)) for is_lost, spell in groupby(gone) if is_lost]
    assert fmean(runs) == pytest.approx(1 / (1 - loss), rel=0.05), "no more bursts than chance makes"


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 3.0), (0.05, 8.0), (0.2, 5.0)])
def test_bursts_keep_the_average(loss: float, burst: float) -> None:
    gone = lost(run(Impairment(loss=loss, burst_packets=burst), 100_000))
    assert fmean(gone) == pytest.approx(loss, rel=0.15)
    runs = [len(list(spell)) for is_lost, spell in groupby(gone) if is_lost]
    assert fmean(runs) == pytest.approx(burst, rel=0.1)


def test_bad_spells_may_let_packets_through() -> None:
    gone = lost(run(Impairment(loss=0.1, burst_packets=10, loss_in_burst=0.5), 100_000))
    assert fmean(gone) == pytest.approx(0.1, rel=0.15)
    after_loss = [later for earlier, later in pairwise(gone) if earlier]
    assert 0.35 < fmean(after_loss) < 0.55, "half of a spell is lost, and a spell seldom ends"


def test_the_same_seed_is_the_same_network_and_another_seed_another() -> None:
    setting = Impairment(loss=0.1, jitter_ms=40, duplicate=0.1, burst_packets=2)
    assert run(setting, 1000) == run(setting, 1000)
    assert run(setting, 1000) != run(setting, 1000, seed=2)


def test_which_packets_are_lost_depends_on_nothing_else() -> None:
    plain = lost(run(Impairment(loss=0.1), 2000))
    assert plain == lost(
        run(Impairment(loss=0.1, jitter_ms=90, delay_ms=50, duplicate=0.2, reorder=True), 2000)
    )


def test_delay_and_jitter_without_reordering() -> None:
    delays = [each for (each,) in run(Impairment(delay_ms=80, jitter_ms=60))]
    assert min(delays) == pytest.approx(0.080, abs=0.001)
    assert 0.138 < max(delays) <= 0.1401
    line = Line(Impairment(delay_ms=80, jitter_ms=60), 1)
    arrivals = [line.releases(BYTES, n * PACKET_S)[0] for n in range(10_000)]
    assert all(later >= earlier for earlier, later in pairwise(arrivals))


def test_jitter_with_reordering_is_even_over_its_range() -> None:
    line = Line(Impairment(delay_ms=80, jitter_ms=60, reorder=True), 3)
    arrivals = [line.releases(BYTES, n * PACKET_S)[0] for n in range(3000)]
    delays = [at - n * PACKET_S for n, at in enumerate(arrivals)]
    assert fmean(delays) == pytest.approx(0.110, abs=0.002)
    overtaken = sum(at < max(arrivals[:n]) for n, at in enumerate(arrivals) if n)
    assert line.counters.reordered == overtaken > 0


def test_a_rate_that_suffices_costs_only_the_time_on_the_wire() -> None:
    assert run(Impairment(rate_bps=100_000), 100) == [[pytest.approx(0.016)]] * 100


def test_a_rate_that_does_not_suffice_fills_its_queue_then_drops_the_rest() -> None:
    line = Line(Impairment(rate_bps=40_000, queue_ms=300), 1)
    came = [at for n in range(5000) for at in line.releases(BYTES, n * PACKET_S)]
    assert len(came) * (BYTES + HEADER_BYTES) * 8 / came[-1] == pytest.approx(40_000, rel=0.01)
    assert line.counters.queue_full == 5000 - len(came)
    delays = [at - n * PACKET_S for n in range(50) for at in line.releases(BYTES, 1000 + n * PACKET_S)]
    assert max(delays) <= 1000.0 + 0.3 + 0.0401, "queue and own time on the wire"


def test_a_quiet_second_empties_the_queue() -> None:
    line = Line(Impairment(rate_bps=40_000), 1)
    for n in range(20):
        line.releases(BYTES, n * PACKET_S)
    assert line.releases(BYTES, 2.0) == [pytest.approx(2.04)]


def test_duplicates() -> None:
    delays = run(Impairment(duplicate=0.1, delay_ms=5), 20_000)
    assert fmean(len(each) for each in delays) == pytest.approx(1.1, abs=0.01)
    assert {len(each) for each in delays} == {1, 2}


def test_a_freeze_delivers_late_and_loses_nothing() -> None:
    line = Line(Impairment(stall=Stall(2.0, 10.0)), 1)
    releases = {n: line.releases(BYTES, 100 + n * PACKET_S) for n in range(1250)}
    assert all(len(each) == 1 for each in releases.values())
    late = [n for n, (at,) in releases.items() if at > 100 + n * PACKET_S + 1e-6]
    # Beginning with the tenth second after the first packet: 10-12 s and 20-22 s.
    assert set(late) == {n for n in range(1250) if n * PACKET_S >= 10 and (n * PACKET_S) % 10 < 2 - 1e-9}
    assert releases[550][0] == pytest.approx(112.0)
    assert line.counters.frozen == len(late)


def test_another_network_from_the_next_packet_on() -> None:
    line = Line(Impairment(loss=1.0), 1)
    assert line.releases(BYTES, 0.0) == []
    line.change(Impairment(delay_ms=10))
    assert line.releases(BYTES, 1.0) == [pytest.approx(1.01)]
    assert (line.counters.packets, line.counters.lost) == (2, 1)


def test_less_delay_still_keeps_the_order() -> None:
    line = Line(Impairment(delay_ms=500), 1)
    (first,) = line.releases(BYTES, 0.0)
    line.change(Impairment())
    assert line.releases(BYTES, 0.1) == [first]


settings = st.builds(
    Impairment,
    loss=st.floats(0, 0.5),
    burst_packets=st.none() | st.floats(1, 10),
    delay_ms=st.floats(0, 500),
    jitter_ms=st.floats(0, 500),
    reorder=st.booleans(),
    rate_bps=st.none() | st.floats(1000, 1e6),
    queue_ms=st.floats(0, 1000),
    duplicate=st.floats(0, 1),
    stall=st.none() | st.builds(Stall, st.floats(0.1, 1), st.floats(2, 5)),
)


@given(settings, st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1500)), max_size=60), st.integers())
def test_nothing_is_early_or_late_beyond_the_settings_and_all_is_counted(
    setting: Impairment, packets: list[tuple[float, int]], seed: int
) -> None:
    line, now, came = Line(setting, seed), 50.0, 0
    wire_s = 1528 * 8 / setting.rate_bps if setting.rate_bps else 0.0
    most_s = wire_s + (setting.queue_ms + setting.delay_ms + setting.jitter_ms) / 1000
    most_s += setting.stall.length_s if setting.stall else 0.0
    latest = 0.0
    for gap, n_bytes in packets:
        now += gap
        for at in line.releases(n_bytes, now):
            came += 1
            assert at >= now
            latest = max(latest, now + most_s) if not setting.reorder else now + most_s
            assert at <= latest + 1e-6
    seen = line.counters
    assert seen.packets == len(packets)
    assert came == seen.packets - seen.dropped + seen.duplicated
