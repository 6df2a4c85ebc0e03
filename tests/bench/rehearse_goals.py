"""The goals of a conversation, shown: `python -m tests.bench.rehearse_goals [--calls 20] [--out DIR]`.

Four rehearsals with the embedded bot, each with 20 calls at once, judged by `gateway/rehearse/goals.yaml`: a
bit of everything, 100 interruptions on a quiet line, 100 in noise 15 dB lower, and 100 each of
backchannels, noises, keys and echoes (and of silences, which tell how often the bot pauses by itself). Takes
a quarter of an hour on a quiet machine with two cores; figures of a busy one say nothing.
Exit status 1 if a goal is missed, was not measured often enough, or the callers themselves were late.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

GOALS = Path(__file__).parents[2] / "gateway" / "rehearse" / "goals.yaml"
SCRIPTS = ("everyday", "interruptions", "noisy-interruptions", "distractions")
TAKEN = 0.8
"""Share of the planned sounds that must be made: some fall between two sentences, or find the bot silent."""


def rehearse(script: str, calls: int, seed: int, out: Path) -> dict[str, Any]:
    """One rehearsal's report. Ends the program if there is none: the gateway did not start, say."""
    written = out / "report.json"
    written.unlink(missing_ok=True)
    command = [sys.executable, "-m", "gateway", "rehearse", "--calls", str(calls), "--at-once", str(calls)]
    command += ["--script", script, "--seed", str(seed), "--thresholds", str(GOALS), "--out", str(out)]
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, 1) or not written.exists():
        raise SystemExit(done.returncode or 1)
    report: dict[str, Any] = json.loads(written.read_text())
    return report


def enough(script: str, report: dict[str, Any], calls: int) -> Iterator[str]:
    """What was not measured as often as it should have been."""
    planned = round(5 * calls * TAKEN)
    found = {
        "everyday": {"gateway's share": (report["gateway_share"]["samples"], calls)},
        "interruptions": {"interruptions": (report["barge_in_stop"]["samples"], planned)},
        "noisy-interruptions": {"interruptions": (report["barge_in_stop_noisy"]["samples"], planned)},
        "distractions": {
            kind: (report["false_stops"][kind]["of"], planned)
            for kind in ("backchannel", "noise", "keys", "echo")
        },
    }[script]
    for name, (samples, least) in found.items():
        if samples < least:
            yield f"{script}: {name} measured {samples} times, not {least}"
    if report["instrument"]["lateness"]["p99_ms"] > 10 or report["instrument"]["clock_jumps"]:
        yield f"{script}: the callers themselves were late, the machine is busy"


def main() -> int:
    """Rehearse, print what came of each goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rehearse_goals", description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS)
    parser.add_argument("--out", type=Path, default=Path("rehearsal"))
    arguments = parser.parse_args()
    table = Table("script", "goal", "limit", "measured", "of", "")
    doubts: list[str] = []
    missed = 0
    for script in arguments.only:
        report = rehearse(script, arguments.calls, arguments.seed, arguments.out / script)
        doubts += enough(script, report, arguments.calls)
        for check in report["checks"]:
            if check["kept"] is not None:
                missed += not check["kept"]
                verdict = "kept" if check["kept"] else "MISSED"
                row = (check["limit"], f"{check['value']:g}", str(check["tried"]), verdict)
                table.add_row(script, check["name"], *row)
    console = Console()
    console.print(table)
    for doubt in doubts:
        console.print(doubt, style="yellow")
    return int(bool(missed or doubts))


if __name__ == "__main__":
    sys.exit(main())
