"""How calls look on a terminal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from gateway.core.termination import Result

_PIPE_WIDTH: Final = 240
"""Columns when the output is no terminal; rich would assume 80 and fold everything."""

_WIDE: Final = 150
"""Columns from which on the list shows the measured figures as well."""

_SECTIONS: Final = {
    "call": (
        "id",
        "node",
        "direction",
        "kind",
        "sip_call_id",
        "from_number",
        "to_number",
        "peer",
        "trunk",
        "headers",
        "route",
        "agent",
    ),
    "time": ("started_at", "answered_at", "ended_at", "duration_s", "billable_s"),
    "end": ("result", "reason", "detail", "sip_status"),
    "conversation": (
        "setup_ms",
        "first_utterance_ms",
        "turns",
        "response_delay_p50_ms",
        "response_delay_max_ms",
        "barge_ins",
        "barge_in_stop_p50_ms",
    ),
    "media": (
        "codec",
        "rx_packets",
        "rx_lost",
        "rx_jitter_ms",
        "tx_lost",
        "rtt_ms",
        "underruns",
        "playout_dropped_ms",
        "uplink_dropped_ms",
    ),
    "inside": ("cards", "recovered", "reconnects"),
}
"""Order and grouping of the record's fields in `gateway calls show`."""

_UNITS: Final = {"_ms": " ms", "_s": " s"}


def print_list(records: Sequence[CallRecord]) -> None:
    """One line per call."""
    console = _console()
    if not records:
        console.print("No calls.")
        return
    measured = ("set-up", "first word", "answer p50", "barge-ins") if console.width >= _WIDE else ()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("started", "id"):
        table.add_column(name, no_wrap=True)
    for name in ("from", "to", "route", "agent"):
        table.add_column(name, overflow="fold")
    for name in ("length", *measured):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("end", overflow="fold")
    for record in records:
        cells: list[str | Text] = [
            _local(record.started_at),
            record.id,
            Text(record.from_number),
            Text(record.to_number),
            Text(record.route or "-"),
            record.agent or "-",
            f"{record.duration_s:.1f} s",
        ]
        if measured:
            times = (record.setup_ms, record.first_utterance_ms, record.response_delay_p50_ms)
            cells += [*(_ms(time) for time in times), str(record.barge_ins)]
        style = "" if record.result is Result.COMPLETED else "yellow"
        table.add_row(*cells, Text(record.reason.value, style=style))
    console.print(table)


def print_call(record: CallRecord) -> None:
    """The record in groups, then the timeline."""
    console = _console()
    facts = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        facts.add_column(overflow="fold")
    for section, names in _SECTIONS.items():
        title = section
        for name in names:
            facts.add_row(Text(title, style="bold"), _label(name), Text(_value(name, getattr(record, name))))
            title = ""
    console.print(facts)
    console.print()
    timeline = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    timeline.add_column("at", justify="right", no_wrap=True)
    timeline.add_column("what", no_wrap=True)
    timeline.add_column("details", overflow="fold")
    for event in record.timeline:
        timeline.add_row(f"{event.at_ms / 1000:.3f}", *_described(event))
    console.print(timeline)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def _described(event: TimelineEvent) -> tuple[Text, Text]:
    if event.kind is TimelineKind.SAID:
        role = str(event.fields.get("role", ""))
        style = "cyan" if role == "caller" else "green"
        return Text(f"{role} said", style=style), Text(str(event.fields.get("text", "")), style=style)
    told = {name: value for name, value in event.fields.items() if value not in (None, "")}
    details = ", ".join(f"{_label(name)} {_value(name, value)}" for name, value in told.items())
    return Text(event.kind.value.replace("_", " ")), Text(details)


def _label(name: str) -> str:
    for suffix in _UNITS:
        name = name.removesuffix(suffix)
    return name.removesuffix("_at").replace("_", " ")


def _value(name: str, value: object) -> str:
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    if value is None or value == "" or value == ():
        return "-"
    if isinstance(value, datetime):
        return _local(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0") + unit
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_value(name, one)}" for name, one in value.items()) or "-"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return f"{value}{unit}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
