"""The bench with a gateway and a backend of its own, small: all of it works together and nothing is left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import MARKER, marked


def _bench(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Run the command and return its JSON; fails unless it ends well and leaves no process."""
    run, file = tmp_path.name, tmp_path / "bench.json"
    command = [sys.executable, "-m", "gateway", "bench", *arguments, "--json", str(file)]
    environment = {**os.environ, MARKER: run}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert marked(run) == []
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def test_held_calls_come_back_through_gateway_and_backend(tmp_path: Path) -> None:
    result = _bench(tmp_path, "calls", "--calls", "5", "--rate", "10", "--seconds", "4")
    assert result["failures"] == []
    assert result["setup"]["samples"] == result["first_rtp"]["samples"] == 5
    heard = result["click_round_trip"]
    assert heard["samples"] >= 10
    # The card's clock and jitter buffer alone take a packet's time.
    assert heard["min_ms"] > 10
    processes = {cost["role"]: cost["processes"] for cost in result["cost"]}
    assert (processes["edge"], processes["core"], processes["template"]) == (1, 1, 1)
    assert processes["card"] >= 2  # four calls a card
    assert result["total"]["cpu_percent"] == pytest.approx(
        sum(cost["cpu_percent"] for cost in result["cost"]), abs=0.5
    )


def test_short_calls_are_ended_by_both_sides(tmp_path: Path) -> None:
    limits = ("--max-growth-mib", "100", "--max-growth-processes", "3", "--max-growth-fds", "40")
    result = _bench(tmp_path, "churn", "--calls", "12", "--concurrent", "3", "--talk-seconds", "0.4", *limits)
    assert result["failures"] == []
    assert result["ended_by_caller"] + result["ended_by_far_end"] == 12
    assert result["ended_by_far_end"] >= 3
    assert [entry["role"] for entry in result["growth"]][-1] == "total"
