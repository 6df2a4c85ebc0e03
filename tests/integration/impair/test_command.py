"""`gateway impair` as a process."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.impair.port import Address
from tests.integration.impair.peers import Client, Echo


@asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "impair", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).decode()


def _listening(line: str) -> Address:
    assert line.startswith("listening on 127.0.0.1:"), line
    return "127.0.0.1", int(line.rpartition(":")[2])


async def test_it_tells_what_it_does_and_ends_with_the_totals() -> None:
    async with Echo() as echo, Client() as client:
        target = f"127.0.0.1:{echo.address[1]}"
        async with command("--to", target, "--delay", "5ms", "--down", "duplicate=100%") as process:
            address = _listening(await _line(process))
            assert await _line(process) == "up: delay 5 ms\n"
            assert await _line(process) == "down: delay 5 ms, duplicates 100 %\n"
            for _ in range(10):
                client.send(bytes(100), address)
            await client.until(20)
            assert "up    10 packets     8.0 kbit    0 lost" in await _line(process)
            process.send_signal(signal.SIGTERM)
            out, _ = await process.communicate()
            assert process.returncode == 0
    rows = [line.split() for line in out.decode().splitlines()]
    assert ["came", "10", "10"] in rows
    assert ["duplicated", "0", "10"] in rows


async def test_json_and_an_end_of_its_own_without_traffic() -> None:
    async with command("--to", "127.0.0.1:9", "--json", "--seconds", "0.2") as process:
        out, _ = await process.communicate()
    totals = json.loads(out)
    assert process.returncode == 1, "nothing came"
    assert (totals["paths"], totals["up"]["packets"], totals["down"]["packets"]) == (0, 0, 0)


async def test_a_port_in_use_is_status_1() -> None:
    async with Echo() as echo:
        taken = f"127.0.0.1:{echo.address[1]}"
        async with command("--listen", taken, "--to", "127.0.0.1:9") as process:
            out, _ = await process.communicate()
            assert (process.returncode, out) == (1, b"")
