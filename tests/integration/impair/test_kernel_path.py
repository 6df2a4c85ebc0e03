"""A call over a real kernel path: two network namespaces and a modelled network between them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.impair.impairment import Impairment
from tests.integration.impair.kernel_path import ADDRESSES, KernelPath
from tests.integration.spectrum import left_channel, seconds_of_tone

SIP_PORT = 5060
"""In a namespace of our own every port is free."""


@asynccontextmanager
async def echoing_phone(path: KernelPath, directory: Path) -> AsyncIterator[None]:
    """SIPp as a phone that sends its audio back."""
    arguments = ["-sn", "uas", "-i", ADDRESSES["b"], "-p", str(SIP_PORT), "-rtp_echo", "-nostdin"]
    with (directory / "sipp").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *path.command("b", "sipp", *arguments), stdout=log, stderr=log, cwd=directory
        )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def call(path: KernelPath, recording: Path, *steps: str) -> dict[str, object]:
    """The softphone's summary of a call from the other namespace."""
    uri = f"sip:echo@{ADDRESSES['b']}:{SIP_PORT}"
    process = await asyncio.create_subprocess_exec(
        *path.command("a", sys.executable, "-m", "gateway.softphone", uri, "--record", str(recording)),
        *("--codec", "PCMU"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate("".join(f"{step}\n" for step in steps).encode())
    summary: dict[str, object] = json.loads(out.splitlines()[-1])
    return summary


@pytest.mark.needs("namespaces", "sipp")
async def test_a_call_crosses_the_kernel_with_the_loss_and_delay_that_were_asked_for(tmp_path: Path) -> None:
    bad = Impairment(loss=0.05, delay_ms=30)
    recording = tmp_path / "phone.wav"
    async with KernelPath(a_to_b=bad, b_to_a=bad, seed=3) as path, echoing_phone(path, tmp_path):
        summary = await call(path, recording, "tone 1000 3000", "pause 1")
        assert summary["worked"], summary
        heard = left_channel(recording)
        assert seconds_of_tone(heard, 1000) == pytest.approx(3.0, abs=0.5)
        for line in path.lines.values():
            assert line.counters.packets > 150
            assert 0.01 < line.counters.lost / line.counters.packets < 0.12


@pytest.mark.needs("namespaces", "sipp")
async def test_nothing_comes_past_the_modelled_path(tmp_path: Path) -> None:
    async with (
        KernelPath(a_to_b=Impairment(), b_to_a=Impairment(loss=1.0)) as path,
        echoing_phone(path, tmp_path),
    ):
        process = await asyncio.create_subprocess_exec(
            *path.command(
                "a", sys.executable, "-m", "gateway.softphone", f"sip:echo@{ADDRESSES['b']}:{SIP_PORT}"
            ),
            *("--answer-within", "2"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(30):
            assert await process.wait() == 1
        assert path.lines["a"].counters.packets > 0
        assert path.lines["b"].counters.lost == path.lines["b"].counters.packets > 0
