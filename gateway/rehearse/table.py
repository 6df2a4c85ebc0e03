"""The outcome of a rehearsal as tables for people."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.bench.measure import Distribution
from gateway.rehearse.result import Count, Result
from gateway.rehearse.thresholds import Check

_VERDICTS = {True: ("pass", "green"), False: ("FAIL", "red"), None: ("–", "dim")}


def times_of(result: Result) -> list[tuple[str, Distribution]]:
    """Everything that is a duration, with its name."""
    return [
        ("set-up (INVITE → 200)", result.setup),
        ("answer → first utterance", result.first_utterance),
        ("response delay", result.response_delay),
        ("gateway's share of it", result.gateway_share),
        ("interruption: onset → silence", result.barge_in_stop),
        ("the same in noise", result.barge_in_stop_noisy),
        ("pause for nothing", result.pause),
    ]


def cases_of(result: Result) -> list[tuple[str, Count]]:
    """Everything that should not happen, with its name."""
    false = [(f"false stops by {kind}", count) for kind, count in result.false_stops.items() if kind != "all"]
    return [
        ("failed calls", result.failed_calls),
        ("calls without a word of the agent", result.silent_calls),
        ("turns without an answer", result.unanswered_turns),
        ("interruptions missed", result.missed_interruptions),
        ("went on within the interruption", result.resumed_interruptions),
        *[(name.replace("by nothing", "by nothing at all"), count) for name, count in false],
        ("agent began within the caller's words", result.talk_overs),
        ("silences over 2 s", result.dead_air),
        ("words cut", result.clipped_words),
    ]


def number(value: float | None) -> str:
    """For a cell."""
    return "–" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def report(result: Result, verdicts: Sequence[Check]) -> RenderableType:
    """What the callers noticed, and the verdict on it."""
    parts: list[RenderableType] = [_times(result), _cases(result), _verdicts(verdicts)]
    instrument = result.instrument
    parts.append(
        Text(
            f"voice quality (MOS): {number(result.mos.least)} worst, {number(result.mos.p50)} p50 · "
            f"callers: {instrument.cpu_percent:g} % of a core, "
            f"clock late by {number(instrument.lateness.p99_ms)} ms p99"
        )
    )
    parts += [Text(f"doubtful: {complaint}", style="yellow") for complaint in instrument.complaints]
    failures = Counter(call.failure for call in result.calls if call.failure)
    parts += [Text(f"failed: {n} × {why}", style="red") for why, n in failures.most_common()]
    skipped = sum(call.skipped_steps for call in result.calls)
    if skipped:
        parts.append(
            Text(f"{skipped} sounds were left out: the agent did not speak long enough", style="yellow")
        )
    return Group(*parts)


def _times(result: Result) -> Table:
    title = f"{len(result.calls)} calls to {result.target}, {result.network}, {result.script}"
    table = Table(title=title, title_justify="left")
    table.add_column("ms")
    for column in ("min", "p50", "p95", "p99", "max", "samples"):
        table.add_column(column, justify="right")
    for name, times in times_of(result):
        if times.samples:
            values = (times.min_ms, times.p50_ms, times.p95_ms, times.p99_ms, times.max_ms)
            table.add_row(name, *map(number, values), str(times.samples))
    return table


def _cases(result: Result) -> Table:
    table = Table()
    table.add_column("what should not happen")
    for column in ("times", "of", "%"):
        table.add_column(column, justify="right")
    for name, count in cases_of(result):
        if count.of:
            table.add_row(name, str(count.found), str(count.of), number(count.percent))
    return table


def _verdicts(verdicts: Sequence[Check]) -> Table:
    table = Table()
    for column in ("threshold", "", "measured", "of", ""):
        table.add_column(column, justify="right" if column in ("measured", "of") else "left")
    for check in verdicts:
        word, style = _VERDICTS[check.kept]
        table.add_row(check.name, check.limit, number(check.value), str(check.tried), Text(word, style=style))
    return table
