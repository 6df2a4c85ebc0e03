"""Which failures `deploy/test` tries once more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.held_up import excused

ROOT = Path(__file__).parents[3]
_TESTS = """
import os, signal, time
from pathlib import Path

def test_fails():
    assert False

def test_fails_on_a_machine_that_stands_still():
    lists = [task / "children" for task in Path("/proc/self/task").iterdir()]
    (pid,) = [int(pid) for each in lists for pid in each.read_text().split()]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.4)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.5)
    raise AssertionError

def test_passes():
    pass
"""


def _pytest(directory: Path, *arguments: str) -> str:
    command = (sys.executable, "-m", "pytest", "-q", "-p", "tests.held_up", "-p", "no:cacheprovider")
    outcome = subprocess.run(
        [*command, "-p", "no:asyncio", *arguments, "test_it.py"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return outcome.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_failures_are_noted_with_the_longest_delay(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "test_it.py").write_text(_TESTS)
    noted = tmp_path / "noted"
    output = _pytest(tmp_path, "--failures", str(noted), *workers)
    assert "2 failed, 1 passed" in output, output
    entries = {
        entry["test"]: entry["held_up_ms"] for entry in map(json.loads, noted.read_text().splitlines())
    }
    assert set(entries) == {
        "test_it.py::test_fails",
        "test_it.py::test_fails_on_a_machine_that_stands_still",
    }
    assert entries["test_it.py::test_fails_on_a_machine_that_stands_still"] >= 300
    output = _pytest(tmp_path, "--again", str(noted))
    assert "2 failed in" in output, output


def test_few_failures_are_excused_and_only_if_all_were_held_up(tmp_path: Path) -> None:
    noted = tmp_path / "noted"

    def note(*held_up_ms: int) -> bool:
        rows = ({"test": str(n), "held_up_ms": each} for n, each in enumerate(held_up_ms))
        noted.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return excused(noted)

    assert note(100, 2000)
    assert not note(100, 99)
    assert not note()
    assert not note(*[500] * 6)
