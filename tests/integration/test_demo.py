"""`gateway demo` as a user runs it."""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.integration.processes import MARKER, free_sip_port, marked, until_gone

WITHIN_S = 100.0


@pytest.fixture
def run() -> Iterator[str]:
    """Marks the processes of one test; afterwards none may be left, nor their temporary files."""
    run = secrets.token_hex(8)
    home = Path(f"/tmp/demo-{run}")
    home.mkdir()
    yield run
    shutil.rmtree(home)


async def start(run: str, *arguments: str) -> Process:
    """`gateway demo` on ports of its own."""
    ports = ("--port", str(free_sip_port()), "--http-port", str(free_sip_port()))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway", "demo", *(() if "--port" in arguments else ports), *arguments),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, MARKER: run, "COLUMNS": "120", "TMPDIR": f"/tmp/demo-{run}"},
    )


async def output_of(process: Process) -> tuple[int, str, str]:
    """Exit status and both outputs, once it has ended."""
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def assert_nothing_left(run: str) -> None:
    remaining = marked(run)
    assert await until_gone([p.pid for p in remaining], 10) == [], remaining


def assert_no_files_left(run: str) -> None:
    assert list(Path(f"/tmp/demo-{run}").iterdir()) == []


async def test_the_demo_holds_a_conversation(run: str) -> None:
    status, out, err = await output_of(await start(run, "--once", "--json"))
    result = json.loads(out) if out else {}
    assert status == 0, (result, err)
    assert result["worked"]
    assert any("billing" in said["text"].lower() for said in result["transcript"] if said["who"] == "caller")
    assert {name for name, figure in result["figures"].items() if figure["phone_ms"] is None} == set()
    await assert_nothing_left(run)
    assert_no_files_left(run)


async def test_the_demo_stays_up_and_says_how_to_dial_in_until_ctrl_c(run: str) -> None:
    process = await start(run)
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(WITHIN_S):
        while b"Dial in" not in (line := await process.stdout.readline()):
            assert line, seen
            seen += line
    assert b"sip:demo@" in line
    assert b"Conversation" in seen
    page = re.search(rb"http://127\.0\.0\.1:\d+/phone", seen)
    assert page is not None
    async with aiohttp.ClientSession() as http, http.get(page[0].decode()) as response:
        assert (response.status, response.content_type) == (200, "text/html")
    process.send_signal(signal.SIGINT)
    assert (await output_of(process))[0] == 0
    await assert_nothing_left(run)
    assert_no_files_left(run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_killed_demo_leaves_nothing_behind(run: str, number: signal.Signals) -> None:
    process = await start(run)
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        while b"answered" not in (line := await process.stdout.readline()):
            assert line
    process.send_signal(number)
    await output_of(process)
    await assert_nothing_left(run)


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("--port", socket.SOCK_DGRAM),
        ("--http-port", socket.SOCK_STREAM),
        ("--webrtc-port", socket.SOCK_DGRAM),
    ],
)
async def test_a_port_in_use_is_one_line_that_names_the_option(
    run: str, option: str, kind: socket.SocketKind
) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        taken = str(other.getsockname()[1])
        ports = {"--port": str(free_sip_port()), "--http-port": str(free_sip_port()), option: taken}
        arguments = [word for pair in ports.items() for word in pair]
        status, _, err = await output_of(await start(run, "--once", *arguments))
    assert status == 1
    assert err.count("\n") == 1
    assert taken in err
    assert option in err
    await assert_nothing_left(run)
