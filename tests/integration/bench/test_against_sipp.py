"""The bench against SIPp's answering scenario, which echoes RTP: an instrument has to show known values."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bench.callers import CATCH_UP_S, Aim, Callers
from gateway.bench.calls import CallsPlan, run_calls, wait_ready
from gateway.bench.churn import ChurnPlan, Tolerance, run_churn
from gateway.bench.clock import Loop
from gateway.errors import RemoteError
from tests.integration.processes import free_sip_port, free_udp_range

pytestmark = pytest.mark.needs("sipp")


def _nothing(_doing: str, _share: float) -> None:
    """The tests draw no progress."""


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Port and pid of a SIPp that answers every call and sends its RTP back."""
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
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def _aim(echo: tuple[int, int]) -> Aim:
    port, pid = echo
    return Aim(("127.0.0.1", port), "127.0.0.1", "1000", pid, ready_limit_s=0)


def test_held_calls_against_an_echo(echo: tuple[int, int]) -> None:
    result = run_calls(CallsPlan(calls=10, rate_per_s=20, seconds=4, aim=_aim(echo)), _nothing)
    assert result.failures == ()
    assert result.setup.samples == result.first_rtp.samples == 10
    # A caller sends 50 packets a second; a busy machine may make it leave some out, or catch up.
    assert 10 * 4 * 40 < result.packets_received <= 10 * (4 + CATCH_UP_S) * 51
    assert result.packets_lost == 0
    assert result.packet_gap.p50_ms == pytest.approx(20, abs=2)
    # SIPp returns each packet as it comes: no buffer, so far less than one packet's time.
    assert 30 <= result.click_round_trip.samples <= 50
    assert result.click_round_trip.p50_ms is not None
    assert result.click_round_trip.p50_ms < 10
    assert result.total is not None
    assert result.total.processes == 1
    assert result.total.cpu_percent > 0
    assert result.total.pss_mib > 1


def test_short_calls_leave_no_descriptor_here(echo: tuple[int, int]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    tolerance = Tolerance(pss_kib=4096, fds=2, processes=0)
    plan = ChurnPlan(20, 5, 0.5, far_end_hangs_up=False, tolerance=tolerance, aim=_aim(echo))
    result = run_churn(plan, _nothing)
    assert result.failures == ()
    assert (result.ended_by_caller, result.ended_by_far_end) == (20, 0)
    assert [entry.role for entry in result.growth] == ["other", "total"]
    assert tolerance.allows(result.growth[-1].gained)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_target_that_does_not_answer_options_is_not_ready() -> None:
    with Loop() as loop:
        aim = Aim(("127.0.0.1", free_sip_port()), "127.0.0.1", "1", None, 0.5)
        callers = Callers(loop, aim)
        with pytest.raises(RemoteError, match="answers nothing"):
            wait_ready(loop, callers, aim)
        with pytest.raises(RemoteError, match="ended before"):
            wait_ready(loop, callers, replace(aim, ready_limit_s=60, alive=lambda: False))


@pytest.mark.parametrize(("limit", "status"), [("1000", 0), ("0", 1)])
def test_the_command_judges_limits_and_writes_json(
    echo: tuple[int, int], tmp_path: Path, limit: str, status: int
) -> None:
    port, pid = echo
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "gateway", "bench", "calls", "--target", f"127.0.0.1:{port}"]
    command += ["--calls", "2", "--rate", "20", "--seconds", "2", "--tree", str(pid), "--json", str(file)]
    done = subprocess.run([*command, "--max-gap-p99-ms", limit], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "gap between packets" in done.stdout
    written = json.loads(file.read_text())
    assert (written["calls"], written["failures"]) == (2, [])
    assert written["packet_gap"]["p50_ms"] > 0


@pytest.mark.parametrize(
    "arguments", [["--target", "nonsense"], ["--tree", "1"], ["--calls", "0"], ["--target", "127.0.0.1:x"]]
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "gateway", "bench", "calls", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
