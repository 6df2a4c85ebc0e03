"""Bench results as tables for people."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.bench.measure import Distribution, Limit
from gateway.bench.result import CallsResult, ChurnResult, Growth, InstrumentHealth, Machine, RoleCost
from gateway.bench.tree import Usage


def calls_report(result: CallsResult, limits: Sequence[Limit]) -> RenderableType:
    """What the callers noticed, what the machine spent, what went wrong."""
    noticed = _times_table(f"{result.calls} calls held for {result.seconds:g} s")
    _add_times(noticed, "set-up (INVITE → 200)", result.setup)
    _add_times(noticed, "answer → first RTP", result.first_rtp)
    _add_times(noticed, "gap between packets", result.packet_gap)
    _add_times(noticed, "click round trip", result.click_round_trip)
    expected = result.packets_received + result.packets_lost
    heard = result.click_round_trip.samples
    lines = [
        f"packets: {result.packets_received} received, {result.packets_lost} of {expected} lost",
        f"clicks: {heard} heard, {result.clicks_lost} lost",
    ]
    parts: list[RenderableType] = [noticed, *map(Text, lines)]
    if result.total is not None:
        parts.append(_cost_table(result.cost, result.total))
    if result.before is not None and result.after is not None:
        parts.append(_usage_table(("before the calls", result.before), ("after the calls", result.after)))
    return Group(*parts, *_closing(result.failures, result.instrument, limits, result.machine))


def churn_report(result: ChurnResult, limits: Sequence[Limit]) -> RenderableType:
    """How fast, and what grew."""
    noticed = _times_table(f"{result.calls} short calls, {result.concurrent} at a time, {result.seconds:g} s")
    _add_times(noticed, "set-up (INVITE → 200)", result.setup)
    _add_times(noticed, "answer → first RTP", result.first_rtp)
    ended = f"ended by the caller {result.ended_by_caller}, by the far end {result.ended_by_far_end}"
    parts: list[RenderableType] = [noticed, Text(ended)]
    if result.growth:
        parts.append(_growth_table(result.growth))
    return Group(*parts, *_closing(result.failures, result.instrument, limits, result.machine))


def _times_table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("ms")
    for column in ("min", "p50", "p95", "p99", "max", "samples"):
        table.add_column(column, justify="right")
    return table


def _add_times(table: Table, name: str, times: Distribution) -> None:
    values = (times.min_ms, times.p50_ms, times.p95_ms, times.p99_ms, times.max_ms)
    table.add_row(name, *("–" if value is None else f"{value:.1f}" for value in values), str(times.samples))


def _cost_table(roles: Sequence[RoleCost], total: RoleCost) -> Table:
    table = Table(title="the gateway's processes, while the calls were held", title_justify="left")
    table.add_column("role")
    for column in ("processes", "CPU % of a core", "per call", "PSS MiB", "descriptors"):
        table.add_column(column, justify="right")
    for cost in (*roles, total):
        per_call = "–" if cost.cpu_percent_per_call is None else f"{cost.cpu_percent_per_call:.3f}"
        row = (cost.role, str(cost.processes), f"{cost.cpu_percent:.1f}", per_call, f"{cost.pss_mib:.1f}")
        table.add_row(*row, str(cost.fds), style="bold" if cost is total else None)
    return table


def _usage_table(*rows: tuple[str, Usage]) -> Table:
    table = Table(title="the gateway at rest", title_justify="left")
    table.add_column("")
    for column in ("processes", "PSS MiB", "descriptors"):
        table.add_column(column, justify="right")
    for name, usage in rows:
        table.add_row(name, str(usage.processes), f"{usage.pss_kib / 1024:.1f}", str(usage.fds))
    return table


def _growth_table(growth: Sequence[Growth]) -> Table:
    table = Table(title="the gateway at rest, after the warm-up → at the end", title_justify="left")
    table.add_column("role")
    for column in ("processes", "PSS MiB", "descriptors"):
        table.add_column(column, justify="right")
    for entry in growth:
        before, after = entry.before, entry.after
        pss = f"{before.pss_kib / 1024:.1f} → {after.pss_kib / 1024:.1f}"
        row = (f"{before.processes} → {after.processes}", pss, f"{before.fds} → {after.fds}")
        table.add_row(entry.role, *row, style="bold" if entry is growth[-1] else None)
    return table


def _closing(
    failures: Sequence[str], instrument: InstrumentHealth, limits: Sequence[Limit], machine: Machine
) -> list[Text]:
    lines = [Text(f"callers: {instrument.cpu_percent:g} % of a core, {_lateness(instrument)}")]
    lines.append(Text(f"machine: {machine.cores} × {machine.cpu}, Linux {machine.kernel}, {machine.python}"))
    lines += [Text(f"doubtful: {complaint}", style="yellow") for complaint in instrument.complaints]
    lines += [Text(f"failed: {n} × {why}", style="red") for why, n in Counter(failures).most_common()]
    for limit in limits:
        verdict = "kept" if limit.kept else "missed"
        lines.append(Text(f"{verdict}: {limit.describe()}", style="green" if limit.kept else "red"))
    return lines


def _lateness(instrument: InstrumentHealth) -> str:
    lateness = instrument.lateness
    return f"clock late by {lateness.p50_ms} ms p50, {lateness.p99_ms} ms p99, {lateness.max_ms} ms max"
