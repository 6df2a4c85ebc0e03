"""`gateway rehearse` with the gateway and the bot it starts itself: all parts together, nothing left behind.

The figures of a busy machine prove nothing, so that the thresholds here judge what happened, not how fast.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import MARKER, marked

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

_LENIENT = """\
failed_calls: {most: 0}
silent_calls: {most: 0}
setup_ms: {p95: 20000}
response_delay_ms: {p95: 20000}
mos: {least: 1}
"""


def _command(tmp_path: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "gateway", "rehearse", "--out", str(tmp_path / "out"), *arguments]
    return command, {**os.environ, MARKER: tmp_path.name}


def _rehearse(tmp_path: Path, thresholds: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, report.json and report.html; fails if a process is left."""
    file = tmp_path / "limits.yaml"
    file.write_text(thresholds)
    command, environment = _command(tmp_path, "--thresholds", str(file), *arguments)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert marked(tmp_path.name) == []
    assert (tmp_path / "out" / "report.json").exists(), done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    return done.returncode, report, (tmp_path / "out" / "report.html").read_text()


def test_a_conversation_is_measured_from_the_phones_audio(tmp_path: Path) -> None:
    status, report, page = _rehearse(tmp_path, _LENIENT, "--calls", "2", "--script", "brief")
    assert (status, report["passed"]) == (0, True), report["checks"]
    assert report["setup"]["samples"] == report["first_utterance"]["samples"] == 2
    assert report["response_delay"]["samples"] >= 4
    assert report["barge_in_stop"]["samples"] >= 4
    # The tap saw the same turns: the gateway's share is part of the delay.
    shares = [
        (event["gateway_share_ms"], event["response_delay_ms"])
        for call in report["calls"]
        for event in call["events"]
        if event["gateway_share_ms"] is not None
    ]
    assert len(shares) >= 3
    assert all(0 < share < delay for share, delay in shares)
    assert report["false_stops"]["noise"]["of"] == 2
    assert page.count('<svg class="call"') == 2


def test_a_bad_network_is_heard_and_a_missed_threshold_is_status_1(tmp_path: Path) -> None:
    network = ("--loss", "8%", "--jitter", "30ms", "--delay", "50ms", "--seed", "3")
    status, report, _ = _rehearse(
        tmp_path, "mos: {least: 4.3}\n", "--calls", "1", "--script", "brief", *network
    )
    assert (status, report["passed"]) == (1, False)
    (call,) = report["calls"]
    assert call["failure"] == ""
    assert 0.04 < call["lost"] / call["packets"] < 0.13
    assert call["buffer_ms"] > 15
    assert call["mos"] < 4.3


async def test_ctrl_c_hangs_up_and_leaves_nothing(tmp_path: Path) -> None:
    command, environment = _command(tmp_path, "--calls", "1")
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**environment, "COLUMNS": "100", "TERM": "xterm", "FORCE_COLOR": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    told = b""
    while b"1 of 1 calls" not in told:
        piece = await process.stderr.read(4096)
        assert piece, told
        told += piece
    process.send_signal(signal.SIGINT)
    _, rest = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in told + rest
    assert marked(tmp_path.name) == []
