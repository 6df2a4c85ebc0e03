"""`gateway rehearse --target` against SIPp, which says back what it hears, and against nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import free_sip_port, free_udp_range


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[int]:
    """Port of a SIPp that answers every call and sends its RTP back."""
    port, (rtp_port, _) = free_sip_port(), free_udp_range(8)
    process = subprocess.Popen(
        [
            *("sipp", "-sn", "uas", "-nostdin", "-rtp_echo"),
            *("-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1", "-mp", str(rtp_port)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def _run(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "gateway", "rehearse", "--out", str(tmp_path / "out"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.needs("sipp")
def test_an_echo_answers_at_once_and_never_first(echo: int, tmp_path: Path) -> None:
    target = f"sip:1000@127.0.0.1:{echo}"
    status, told = _run(tmp_path, "--target", target, "--calls", "2", "--script", "interruptions")
    report: dict[str, Any] = json.loads((tmp_path / "out" / "report.json").read_text())
    assert status == 1, told
    assert report["failed_calls"] == {"found": 0, "of": 2}
    # It speaks only when spoken to, and a caller who waits to interrupt never does.
    assert report["silent_calls"] == {"found": 2, "of": 2}
    assert report["gateway_share"]["samples"] == 0
    assert report["setup"]["samples"] == 2
    assert "FAIL" in told


def test_a_target_that_is_not_there_fails_every_call(tmp_path: Path) -> None:
    status, told = _run(tmp_path, "--target", f"127.0.0.1:{free_sip_port()}", "--calls", "1")
    assert status == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["failed_calls"] == {"found": 1, "of": 1}
    assert "no answer to INVITE" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "sip:@x"],
        ["--target", "sip:a@b:0"],
        ["--loss", "much"],
        ["--script", "opera"],
        ["--calls", "0"],
        ["--thresholds", "/nowhere.yaml"],
    ],
)
def test_wrong_usage_is_status_2(tmp_path: Path, arguments: list[str]) -> None:
    status, told = _run(tmp_path, *arguments)
    assert status == 2, told
    assert "Traceback" not in told
