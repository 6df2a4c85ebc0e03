"""Results as tables, text and JSON, and what makes them fail."""

from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console, RenderableType

from gateway.bench.churn import Tolerance, growth_by_role
from gateway.bench.measure import Limit, distribution
from gateway.bench.report import calls_report, churn_report
from gateway.bench.result import (
    CallsResult,
    ChurnResult,
    InstrumentHealth,
    Machine,
    RoleCost,
    describe_machine,
    write_json,
)
from gateway.bench.tree import Role, Usage

MACHINE = Machine("Test CPU", 2, "6.1", "3.11")
HEALTHY = InstrumentHealth(12.5, distribution([0.001]), 0, 0)
COST = RoleCost("core", 1, 31.5, 0.315, 60.2, 240)

CALLS = CallsResult(
    machine=MACHINE,
    calls=100,
    seconds=20.0,
    failures=("503 Service Unavailable", "503 Service Unavailable", "no answer"),
    setup=distribution([0.0123, 0.02]),
    first_rtp=distribution([]),
    packet_gap=distribution([0.02]),
    packets_received=990,
    packets_lost=10,
    clicks_lost=3,
    click_round_trip=distribution([0.041]),
    cost=(COST,),
    total=msgspec.structs.replace(COST, role="total"),
    before=Usage(5, 100 * 1024, 90),
    after=Usage(6, 101 * 1024, 91),
    instrument=HEALTHY,
)


def _text(report: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=160).print(report)
    return out.getvalue()


def test_the_table_of_held_calls_shows_every_figure() -> None:
    shown = _text(calls_report(CALLS, (Limit("x, ms", 1, 2.5), Limit("y, ms", 1, 0.5))))
    for part in ("12.3", "20.0", "41.0", "0.315", "31.5", "240", "10 of 1000 lost", "3 lost", "Test CPU"):
        assert part in shown, part
    assert "failed: 2 × 503 Service Unavailable" in shown
    assert "failed: 1 × no answer" in shown
    assert "missed: x, ms: 2.5, at most 1" in shown
    assert "kept: y, ms: 0.5, at most 1" in shown


def test_without_a_tree_there_is_no_cost_table() -> None:
    bare = msgspec.structs.replace(CALLS, cost=(), total=None, before=None, after=None)
    shown = _text(calls_report(bare, ()))
    assert "core" not in shown.partition("callers:")[0]
    assert "at rest" not in shown


def test_the_table_of_short_calls_shows_growth() -> None:
    growth = growth_by_role(
        {Role.CORE: Usage(1, 2048, 90), Role.CARD: Usage(5, 1024, 50)}, {Role.CORE: Usage(1, 3072, 92)}
    )
    result = ChurnResult(MACHINE, 1000, 20, 75.0, (), 501, 499, CALLS.setup, CALLS.first_rtp, growth, HEALTHY)
    shown = _text(churn_report(result, ()))
    for part in ("1000 short calls", "by the caller 501", "by the far end 499", "2.0 → 3.0", "5 → 0"):
        assert part in shown, part
    assert "6 → 1" in shown.partition("total")[2]


def test_lost_percent() -> None:
    assert CALLS.lost_percent == 1.0
    assert msgspec.structs.replace(CALLS, packets_received=0, packets_lost=0).lost_percent is None


def test_json_holds_what_was_found(tmp_path: Path) -> None:
    write_json(CALLS, tmp_path / "bench.json")
    assert msgspec.json.decode((tmp_path / "bench.json").read_bytes(), type=CallsResult) == CALLS


def test_a_callers_process_that_was_in_time_gives_no_complaint() -> None:
    assert HEALTHY.complaints == []


def test_complaints_name_each_reason_for_doubt() -> None:
    late = InstrumentHealth(97.0, distribution([0.05]), 2, 5)
    assert len(late.complaints) == 3
    assert "97 %" in late.complaints[0]
    assert "50.0 ms" in late.complaints[1]
    assert "2 times, 5 packets" in late.complaints[2]


def test_tolerance_is_kept_only_if_everything_is() -> None:
    tolerance = Tolerance(pss_kib=1000, fds=5, processes=1)
    assert tolerance.allows(Usage(processes=1, pss_kib=1000, fds=5))
    assert tolerance.allows(Usage(processes=-3, pss_kib=-1, fds=-1))
    for grown in (Usage(2, 0, 0), Usage(0, 1001, 0), Usage(0, 0, 6)):
        assert not tolerance.allows(grown)


def test_growth_by_role_and_in_all() -> None:
    assert growth_by_role({}, {}) == ()
    core, card, total = growth_by_role(
        {Role.CORE: Usage(1, 10, 2)}, {Role.CORE: Usage(1, 15, 1), Role.CARD: Usage(2, 8, 6)}
    )
    assert (core.role, core.gained) == ("core", Usage(0, 5, -1))
    assert (card.role, card.before, card.gained) == ("card", Usage(), Usage(2, 8, 6))
    assert (total.role, total.gained) == ("total", Usage(2, 13, 5))


def test_machine_by_cpuinfo() -> None:
    cpuinfo = (
        "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\nprocessor\t: 1\nmodel name\t: Fast CPU @ 3 GHz\n"
    )
    assert (describe_machine(cpuinfo, 2).cpu, describe_machine(cpuinfo, 2).cores) == ("Fast CPU @ 3 GHz", 2)
    assert describe_machine("", 1).cpu
