"""Tables and JSON of `gateway dialplan`."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from gateway.dialplan.replay import Change, Replay


def print_replay(outcome: Replay, zone: ZoneInfo) -> None:
    """How many calls would go elsewhere, grouped, with examples at the plan's wall clock."""
    console = Console(highlight=False, markup=False)
    changed = outcome.calls - outcome.same
    console.print(f"{outcome.calls} calls: {outcome.same} as before, {changed} would take another route")
    for condition, count in outcome.granted:
        console.print(f"not recorded, taken for granted in {count} of them: {condition}")
    if not outcome.changes:
        return
    table = Table(show_edge=False)
    for column, justify in (("calls", "right"), ("before", "left"), ("now", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column(f"for example ({zone.key})")
    for change in outcome.changes:
        examples = "\n".join(
            f"{record.started_at.astimezone(zone):%Y-%m-%d %H:%M} "
            f"{record.from_number or '(nobody)'} → {record.to_number}"
            for record in change.examples
        )
        table.add_row(str(change.count), _shown(change.before), _shown(change.after), examples)
    console.print(table)


def replay_as_data(outcome: Replay) -> dict[str, Any]:
    """The same for programs."""
    return {
        "calls": outcome.calls,
        "same": outcome.same,
        "changes": [_as_data(c) for c in outcome.changes],
        "taken_for_granted": [{"condition": name, "calls": count} for name, count in outcome.granted],
    }


def _as_data(change: Change) -> dict[str, Any]:
    return {
        "before": change.before or None,
        "after": change.after or None,
        "count": change.count,
        "examples": [
            {
                "id": record.id,
                "started_at": record.started_at.isoformat(),
                "from": record.from_number,
                "to": record.to_number,
            }
            for record in change.examples
        ],
    }


def _shown(route: str) -> str:
    return route or "(none)"


def _local(moment: str) -> str:
    """A moment of the API (RFC 3339) on this machine's wall clock, as `gateway calls` has it."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"


def print_state(state: dict[str, Any], *, history: bool = True) -> None:
    """The plan in force and those before it, as the API tells."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    current, canary = state["current"], state["canary"]
    console.print(f"dialplan in force: {current['digest'][:12]} ({current['routes']} routes)")
    if canary is not None:
        percent = f"{state['canary_percent']:g}%"
        console.print(
            f"canary:   {canary['digest'][:12]} ({canary['routes']} routes) for {percent} of the callers"
        )
    if state["error"]:
        console.print(f"refused at {_local(state['error_at'])}:\n{state['error']}")
    if not history:
        return
    table = Table(show_edge=False)
    for column in ("when", "plan", "how", "by"):
        table.add_column(column)
    for version in state["history"]:
        table.add_row(_local(version["at"]), version["digest"][:12], version["action"], version["by"])
    console.print(table)
