"""How the demo looks: a line as things happen, then tables; or one JSON object."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.cli.demo_children import Entry
from gateway.cli.demo_verdict import Line, Measured, transcript
from gateway.core.record import CallRecord

LOG_NAME: Final = "gateway.log"
"""Name of the log file in run_dir."""

_COLOURS: Final = {"good": "green", "slow": "yellow", "missing": "red"}
_SAID: Final = {
    "interrupt.wav": "interrupts",
    "ask_billing.wav": "asks for billing",
    "yes_please.wav": "confirms",
    "goodbye.wav": "says goodbye",
}


class DemoOutput:
    """Tells what happens; with `as_json` only the result, as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(quiet=as_json, highlight=False)

    def step(self, text: str) -> None:
        """Something begins or has happened."""
        self._console.print(f"[bold]·[/bold] {text}")

    def phone_event(self, entry: Entry) -> None:
        """The softphone told something."""
        match entry.get("event"):
            case "answered":
                self._at(entry, f"answered after {entry['setup_ms']:.0f} ms")
            case "sound_started":
                self._at(entry, "the agent speaks")
            case "sound_stopped":
                self._at(entry, "the agent is silent")
            case "said":
                self._at(entry, f"the phone {_SAID.get(str(entry['name']), 'speaks')}")
            case "ended":
                by = "the phone" if entry["by"] == "phone" else "the agent"
                self._at(entry, f"{by} hangs up")

    def result(
        self,
        problems: Sequence[str],
        figures: Sequence[Measured],
        record: CallRecord | None,
    ) -> None:
        """The conversation, its figures and whether it worked."""
        if self._as_json:
            print(json.dumps(_as_data(problems, figures, record), indent=2))  # noqa: T201 - the command's output
            return
        if record is not None:
            self._console.print(_conversation(transcript(record)))
        self._console.print(_figures(figures))
        for problem in problems:
            self._console.print(f"[red]missing:[/red] {problem}")
        if not problems:
            self._console.print("[green]The conversation worked.[/green]")

    def how_to_call_from_a_browser(self, address: str) -> None:
        """Where the phone page is."""
        self._console.print(f"\nCall from a browser on this machine: [bold]{address}[/bold]")

    def how_to_dial_in(self, address: str, record: CallRecord | None, run_dir: Path) -> None:
        """What to do while the gateway is up."""
        self._console.print(f"Dial in with any softphone: [bold]{address}[/bold]")
        if record is not None:
            show = f"gateway calls show {record.id} --run-dir {run_dir}"
            self._console.print(f"This call, second by second: [bold]{show}[/bold]", soft_wrap=True)
        self._console.print(f"The gateway's log: {run_dir / LOG_NAME}", soft_wrap=True)
        self._console.print("Ctrl-C ends the demo.")

    def _at(self, entry: Entry, text: str) -> None:
        self._console.print(f"  {entry['at_ms'] / 1000:6.2f} s  {text}")


def _conversation(lines: Sequence[Line]) -> Table:
    table = Table(title="Conversation", title_justify="left", show_edge=False)
    table.add_column("s", justify="right")
    table.add_column("who")
    table.add_column("what was said, as understood")
    for line in lines:
        table.add_row(f"{line.at_s:.2f}", line.who, line.text)
    return table


def _figures(figures: Sequence[Measured]) -> Table:
    table = Table(title="Measured", title_justify="left", show_edge=False)
    table.add_column("ms")
    for column in ("phone's ear", "gateway", "limit"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for figure in figures:
        colour = _COLOURS[figure.verdict]
        table.add_row(
            figure.name,
            _number(figure.phone_ms),
            _number(figure.gateway_ms),
            f"{figure.limit_ms:.0f}",
            f"[{colour}]{figure.verdict}[/{colour}]",
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _as_data(
    problems: Sequence[str], figures: Sequence[Measured], record: CallRecord | None
) -> dict[str, Any]:
    return {
        "worked": not problems,
        "missing": list(problems),
        "call_id": record and record.id,
        "transcript": [dataclasses.asdict(line) for line in transcript(record)] if record else [],
        "figures": {
            figure.name: {
                "phone_ms": figure.phone_ms,
                "gateway_ms": None if figure.gateway_ms is None else round(figure.gateway_ms, 1),
                "limit_ms": figure.limit_ms,
                "verdict": figure.verdict,
            }
            for figure in figures
        },
    }
