"""A directory of dialplans, the gateway that reads it, and who gets which plan."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.dialplan.live import LivePlan
from tests.unit.dialplan.plans import SURROUNDINGS, ask


class Clock:
    """A wall clock that goes on by a minute at every look."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        self.time += timedelta(minutes=1)
        return self.time


class Site:
    """A directory of dialplans and a run directory."""

    def __init__(self, directory: Path) -> None:
        self.plans = directory / "plans"
        self.run = directory / "run"
        self.plans.mkdir()
        self.run.mkdir()
        self.write("one")

    def write(self, route: str) -> None:
        """A plan with one route of this name."""
        text = f'version: 1\nroutes: [{{name: {route}, match: {{to: "*"}}, do: [ai]}}]\n'
        (self.plans / "main.yaml").write_text(text)

    async def open(self) -> LivePlan:
        """The gateway starts."""
        return await LivePlan.open(self.plans, SURROUNDINGS, self.run, Clock())


def route_of(live: LivePlan, caller: str = "+491701") -> str:
    """The route of a new call."""
    return ask(live.for_caller(caller), "1", caller).route_name


def shares(live: LivePlan) -> dict[str, int]:
    """How many of 400 callers get which route."""
    found: dict[str, int] = {}
    for number in range(400):
        route = route_of(live, f"+4930{number:05}")
        found[route] = found.get(route, 0) + 1
    return found
