"""How long a dialplan takes to decide about a call.

    python -m tests.bench.dialplan_matching --routes 10000 --calls 20000

The plan is a large site's: single numbers, blocks of ten, beginnings, some with callers, hours, trunks
and lists, and a last route for everything. Exit status 1 when the p99 of a call's processor time, in which
others on the machine do not count, is above --max-p99-ms.
"""

import argparse
import random
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway.dialplan.dialplan import Dialplan, Route, Settings
from gateway.dialplan.index import RouteIndex
from gateway.dialplan.language.hours import Hours, parse_spans
from gateway.dialplan.language.lists import make_list
from gateway.dialplan.language.patterns import parse_pattern
from gateway.dialplan.match import Conditions, HoursCondition, NumberCondition
from gateway.dialplan.runtime import CallFactsView
from gateway.dialplan.surroundings import Surroundings, Trunk

_OPEN = HoursCondition(
    "office", Hours(ZoneInfo("Europe/Berlin"), {day: parse_spans("08:30-18:00") for day in range(5)})
)


def plan(routes: int, chance: random.Random) -> Dialplan:
    """A plan with so many routes."""
    vip = make_list(p for n in range(5000) for p in parse_pattern(f"+4989{chance.randrange(10**7):07}"))
    made = [_conditions(number, chance, NumberCondition(lists={"vip": vip})) for number in range(routes - 1)]
    made.append(Conditions(to=NumberCondition(parse_pattern("*"))))
    return Dialplan(
        routes=tuple(Route(f"r{number}", each, {}, (), "") for number, each in enumerate(made)),
        flows={},
        prompts={},
        settings=Settings(ZoneInfo("Europe/Berlin")),
        surroundings=Surroundings(("agent",), {"pbx": Trunk("DE")}),
        directory=None,
        digest="",
        index=RouteIndex(made),
        agent_blocks={},
    )


def _conditions(number: int, chance: random.Random, vip: NumberCondition) -> Conditions:
    to = NumberCondition(parse_pattern(f"+4930{number:07}"))
    match number % 8:
        case 0:
            return Conditions(to=NumberCondition(parse_pattern(f"+4930{number:06}X")), hours=_OPEN)
        case 1:
            return Conditions(to=NumberCondition(parse_pattern(f"+4931{number:05}*")))
        case 2:
            return Conditions(to=to, from_=vip)
        case 3:
            caller = f"+4917{chance.randrange(100):02}*"
            return Conditions(to=to, from_=NumberCondition(parse_pattern(caller)))
        case 4:
            return Conditions(to=to, trunks=("pbx",), hours=_OPEN)
        case 5:
            return Conditions(to=NumberCondition(parse_pattern(f"+4930{number:07}-+4930{number + 9:07}")))
        case _:
            return Conditions(to=to)


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds for each call, ascending."""

    processor_ms: list[float]
    wall_ms: list[float]


def measure(dialplan: Dialplan, calls: int, chance: random.Random) -> Took:
    """Let the plan decide about calls, every one with numbers of its own."""
    at = datetime(2026, 11, 23, 9, tzinfo=UTC)
    routes = len(dialplan.routes)
    processor_ms, wall_ms = [], []
    for _ in range(calls):
        to = f"030{chance.randrange(routes):07}" if chance.random() < 0.9 else f"031{chance.randrange(10**7)}"
        caller = f"+4917{chance.randrange(10**9):09}"
        facts = CallFactsView("sip", "inbound", to, caller, "pbx")
        began, began_wall = time.thread_time_ns(), time.perf_counter_ns()
        decision = dialplan.decide(facts, at)
        ended_wall, ended = time.perf_counter_ns(), time.thread_time_ns()
        processor_ms.append((ended - began) / 1e6)
        wall_ms.append((ended_wall - began_wall) / 1e6)
        assert decision.taken
    return Took(sorted(processor_ms), sorted(wall_ms))


def _said(what: str, took_ms: list[float]) -> str:
    p99 = took_ms[int(len(took_ms) * 0.99)]
    return (
        f"{what}: mean {statistics.fmean(took_ms):.3f} ms, p50 {statistics.median(took_ms):.3f} ms, "
        f"p99 {p99:.3f} ms, max {took_ms[-1]:.3f} ms\n"
    )


def main() -> int:
    """Print the figures; the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--max-p99-ms", type=float, default=1.0)
    wanted = parser.parse_args()
    chance = random.Random(1)
    took = measure(plan(wanted.routes, chance), wanted.calls, chance)
    sys.stdout.write(f"{wanted.routes} routes, {wanted.calls} calls\n")
    sys.stdout.write(_said("processor time", took.processor_ms) + _said("wall clock", took.wall_ms))
    p99 = took.processor_ms[int(len(took.processor_ms) * 0.99)]
    return 0 if p99 <= wanted.max_p99_ms else 1


if __name__ == "__main__":
    sys.exit(main())
