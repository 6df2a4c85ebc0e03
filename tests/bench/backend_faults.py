"""AI services that fail under calls: `python -m tests.bench.backend_faults [--calls 20] [FAULT ...]`.

Real phones, a real gateway and services in processes of their own. Each fault (killed; frozen by SIGSTOP;
slowed to 32 kbit/s per connection and direction; corrupted: broken JSON, binary, no base64, no WebSocket,
17 MB) has a run of its own, a minute long. It comes 50 ms after the callers' last word: all of them wait.

| column | goal |
|---|---|
| comfort | from the fault to the filler's first word (or to the standby's answer, if that is sooner): 1.5 s |
| standby | from the fault to the standby's answer to the turn: 3 s |
| dropped | calls that ended: 0 |
| broken | transcripts that lack a turn or an answer, or hold one twice or in part: 0 |
| before, after | from the end of a turn to its answer, before the fault and afterwards: 0.15 s more at most |

Exit status 1 if a goal is missed by any call. Figures of a busy machine say little.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.fault_run import FAULTS, Fault, Plan, Told, run
from tests.bench.turn_service import GREETING

COMFORT_S: Final = 1.5
STANDBY_S: Final = 3.0
MORE_DELAY_S: Final = 0.15
_NEVER_S: Final = 99.0
_CLIPPED_MS: Final = 100
"""By so much the length of a turn may differ, which is written down in hundreds."""
_CALLER: Final = re.compile(r"caller: (turn (\d+) of (\d+) ms)")


def broken(said: Sequence[str], turns: int) -> str:
    """What is wrong with a transcript of so many turns; empty if nothing."""
    if not said or said[0] != f"agent: {GREETING}":
        return f"no greeting: {said[:1]}"
    if len(said) != 1 + 2 * turns:
        return f"{len(said)} lines, not {1 + 2 * turns}: {said}"
    lengths_ms = []
    for number in range(1, turns + 1):
        caller, agent = said[2 * number - 1 : 2 * number + 1]
        turn = _CALLER.fullmatch(caller)
        if turn is None or int(turn[2]) != number or agent != f"agent: answer to {turn[1]}":
            return f"turn {number} is {caller!r}, {agent!r}"
        lengths_ms.append(int(turn[3]))
    if max(lengths_ms) - min(lengths_ms) > _CLIPPED_MS:
        return f"turns of {lengths_ms} ms: one was clipped"
    return ""


@dataclass(frozen=True, slots=True)
class Summary:
    """All calls of one fault."""

    calls: int
    comfort_s: tuple[float, ...]
    words: int
    """Calls that heard the filler."""
    standby_s: tuple[float, ...]
    dropped: tuple[str, ...]
    broken: tuple[str, ...]
    before_s: tuple[float, ...]
    after_s: tuple[float, ...]

    @property
    def missed(self) -> list[str]:
        """Goals that any call missed."""
        later_s = max(self.after_s) - median(self.before_s)
        goals = {
            "comfort": max(self.comfort_s) <= COMFORT_S,
            "standby": max(self.standby_s) <= STANDBY_S,
            "dropped": not self.dropped,
            "transcript": not self.broken,
            "delay": later_s <= MORE_DELAY_S,
        }
        return [goal for goal, kept in goals.items() if not kept]


def _known(seconds: float | None) -> float:
    return _NEVER_S if seconds is None else seconds


def summarise(told: Sequence[Told], turns: int) -> Summary:
    """What all calls came to."""
    wrong = (broken(each.said, turns) for each in told)
    return Summary(
        len(told),
        tuple(_known(each.comfort_s) for each in told),
        sum(each.word_s is not None for each in told),
        tuple(_known(each.standby_s) for each in told),
        tuple(each.dropped for each in told if each.dropped),
        tuple(each for each in wrong if each),
        tuple(_known(delay) for each in told for delay in each.delays_before_s),
        tuple(_known(delay) for each in told for delay in each.delays_after_s),
    )


def _spread(values: Sequence[float]) -> str:
    return " / ".join(
        "never" if each >= _NEVER_S else f"{each:.2f}" for each in (median(values), max(values))
    )


def main() -> int:
    """Run the faults, print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.backend_faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    arguments = parser.parse_args()
    faults: list[Fault] = [each for each in FAULTS if not arguments.faults or each in arguments.faults]
    titles = ("fault", "comfort", "filler", "standby", "dropped", "broken", "before", "after", "")
    table = Table(*titles, title="seconds: median / most")
    problems: list[str] = []
    for fault in faults:
        plan = Plan((fault,), arguments.calls)
        summary = summarise(run(plan), plan.before + 1 + plan.after)
        problems += [f"{fault}: {each}" for each in (*summary.missed, *summary.dropped, *summary.broken)]
        table.add_row(
            fault,
            _spread(summary.comfort_s),
            f"{summary.words} of {summary.calls}",
            _spread(summary.standby_s),
            str(len(summary.dropped)),
            str(len(summary.broken)),
            _spread(summary.before_s),
            _spread(summary.after_s),
            "MISSED" if summary.missed else "kept",
        )
    console = Console()
    console.print(table)
    for problem in problems:
        console.print(problem, style="yellow", markup=False)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
