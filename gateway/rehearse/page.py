"""`report.html`: everything a rehearsal found, in one file without anything from elsewhere."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from gateway.rehearse.ear import RATE_HZ
from gateway.rehearse.figures import CallFigures
from gateway.rehearse.plots import agent_peaks, call_plot, caller_peaks, cumulative, histogram
from gateway.rehearse.result import CallResult, Result
from gateway.rehearse.table import cases_of, number, times_of
from gateway.rehearse.thresholds import Check, passed

_STYLE: Final = Path(__file__).with_name("page.css")
_VERDICTS: Final = {True: ("pass", "pass"), False: ("FAIL", "fail"), None: ("not tried", "none")}
_LEGEND: Final = (
    ("caller", "caller speaks"),
    ("mark", "interrupts"),
    ("soft", "makes a sound without words"),
    ("agent", "agent"),
    ("bad", "went wrong"),
)


def write_page(result: Result, verdicts: Sequence[Check], calls: Sequence[CallFigures], path: Path) -> None:
    """Raises OSError. calls: those of the result, in the same order."""
    path.write_text(page(result, verdicts, calls), encoding="utf-8")


def page(result: Result, verdicts: Sequence[Check], calls: Sequence[CallFigures]) -> str:
    """The whole document."""
    fine = passed(list(verdicts))
    word = '<span class="pass">passed</span>' if fine else '<span class="fail">failed</span>'
    machine = result.machine
    facts = (
        f"{len(result.calls)} calls to {result.target} · {result.network} · script {result.script} · seed "
        f"{result.seed} · voices {result.voices} · {result.seconds:.0f} s · {machine.cores} × {machine.cpu}"
    )
    doubts = "".join(f'<p class="fail">Doubtful: {escape(text)}</p>' for text in result.instrument.complaints)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Rehearsal</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>"
        f'<h1>Rehearsal {word}</h1><p class="facts">{escape(facts)}</p>{doubts}'
        f"<h2>Thresholds</h2>{_verdict_table(verdicts)}"
        f"<h2>Durations, ms</h2>{_times_table(result)}<h2>What should not happen</h2>{_case_table(result)}"
        f"<h2>Distributions</h2>{_distributions(result, verdicts)}"
        f"<h2>Calls</h2>{_legend()}{''.join(_call(*pair) for pair in zip(result.calls, calls, strict=True))}"
        "</body></html>\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _verdict_table(verdicts: Sequence[Check]) -> str:
    rows = []
    for check in verdicts:
        word, kind = _VERDICTS[check.kept]
        verdict = f'<span class="verdict {kind}">{word}</span>'
        rows.append((escape(check.name), check.limit, number(check.value), str(check.tried), verdict))
    return _table(("threshold", "limit", "measured", "cases", ""), rows)


def _times_table(result: Result) -> str:
    rows = [
        (
            escape(name),
            *map(number, (times.min_ms, times.p50_ms, times.p95_ms, times.p99_ms, times.max_ms)),
            str(times.samples),
        )
        for name, times in times_of(result)
        if times.samples
    ]
    return _table(("", "min", "p50", "p95", "p99", "max", "samples"), rows)


def _case_table(result: Result) -> str:
    rows = [
        (escape(name), str(count.found), str(count.of), number(count.percent))
        for name, count in cases_of(result)
        if count.of
    ]
    return _table(("", "times", "of", "%"), rows)


def samples_of(result: Result) -> dict[str, list[float]]:
    """The single durations behind the plots, in ms, by the name of their threshold."""
    events = [event for call in result.calls for event in call.events]
    quiet, noisy = (
        [
            event.stop_ms
            for call in result.calls
            for event in call.events
            if event.kind == "interruption" and call.noisy is in_noise
        ]
        for in_noise in (False, True)
    )
    pauses = [event.silence_ms for event in events if event.outcome == "paused"]
    found: dict[str, Iterable[float | None]] = {
        "set-up": (call.setup_ms for call in result.calls),
        "first utterance after the answer": (call.first_utterance_ms for call in result.calls),
        "response delay": (event.response_delay_ms for event in events),
        "gateway's share of it": (event.gateway_share_ms for event in events),
        "interruption: onset to silence": quiet,
        "interruption in noise: onset to silence": noisy,
        "pauses for nothing": pauses,
    }
    return {name: [value for value in values if value is not None] for name, values in found.items()}


def _distributions(result: Result, verdicts: Sequence[Check]) -> str:
    parts = []
    for name, values in samples_of(result).items():
        if values:
            marks = [
                (float(match[1]), check.limit)
                for check in verdicts
                if check.name.startswith(name) and (match := re.search(r"≤ ([\d.]+)", check.limit))
            ]
            caption = f"<figcaption>{escape(name)}, ms ({len(values)})</figcaption>"
            parts.append(f"<figure>{caption}{histogram(values)}{cumulative(values, marks)}</figure>")
    return f'<div class="plots">{"".join(parts)}</div>'


def _legend() -> str:
    items = "".join(f'<span><i style="background:var(--{key})"></i>{text}</span>' for key, text in _LEGEND)
    return f'<p class="legend">{items}</p>'


def _call(call: CallResult, figures: CallFigures) -> str:
    trace, heard = figures.trace, figures.heard
    facts = [f"{call.duration_s:.1f} s", f"set-up {number(call.setup_ms)} ms"]
    facts += [f"first utterance after {number(call.first_utterance_ms)} ms", f"MOS {number(call.mos)}"]
    facts += [f"{call.packets} packets, {call.lost} lost, {call.late} late, buffer {call.buffer_ms:.0f} ms"]
    if call.failure:
        facts = [call.failure]
    title = f"<h3>Call {call.number}, {escape(call.script)}</h3>"
    told = f'<p class="call-facts">{escape(" · ".join(facts))}</p>'
    if call.setup_ms is None:
        return title + told
    caller = caller_peaks(trace.sent, trace.sent_s, heard.start_s, call.duration_s)
    plot = call_plot(call, caller, agent_peaks(heard.samples, RATE_HZ))
    rows = [
        (
            f"{escape(event.kind)}: {escape(event.name)}",
            f"{event.at_s:.2f}",
            event.outcome.replace("_", " "),
            *map(number, (event.stop_ms, event.silence_ms, event.response_delay_ms, event.gateway_share_ms)),
        )
        for event in call.events
    ]
    head = ("caller", "at, s", "outcome", "silent after", "silent for", "answer after", "gateway's share")
    events = f"<details><summary>Events</summary>{_table(head, rows)}</details>"
    return f'{title}{told}<div class="scroll">{plot}</div>{events}'
