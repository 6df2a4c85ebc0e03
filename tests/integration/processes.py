"""Processes of a gateway under test, found by a marker in their environment, and free ports."""

import asyncio
import os
import secrets
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

MARKER = "GATEWAY_TEST_RUN"


@dataclass(frozen=True, slots=True)
class Process:
    """One process as /proc shows it."""

    pid: int
    parent: int
    command: str
    """Arguments joined by blanks."""


def marked(run: str) -> list[Process]:
    """All processes that carry `MARKER`=`run`, whoever their parent is now; zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if f"{MARKER}={run}".encode() not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if state != "Z":
            found.append(Process(int(entry.name), int(parent), command))
    return found


async def until_gone(pids: list[int], within_s: float) -> list[int]:
    """Wait until the processes have ended; those that have not are returned."""

    async def gone(pid: int) -> None:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(fd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)

    tasks = {asyncio.create_task(gone(pid)): pid for pid in pids}
    if not tasks:
        return []
    _, pending = await asyncio.wait(tasks, timeout=within_s)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return [tasks[task] for task in pending]


def free_sip_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and for TCP at this moment."""
    for _ in range(100):
        with ExitStack() as held:
            tcp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port for UDP and TCP")


def free_udp_range(count: int) -> tuple[int, int]:
    """The first and last of `count` neighbouring UDP ports that are free at this moment.

    Below the ephemeral range, so that no other test is given one of them by the kernel.
    """
    for _ in range(200):
        low = 10000 + 2 * secrets.randbelow((32000 - 10000 - count) // 2)
        with ExitStack() as held:
            try:
                for port in range(low, low + count):
                    udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    udp.bind(("0.0.0.0", port))
            except OSError:
                continue
            return low, low + count - 1
    raise RuntimeError(f"no {count} free neighbouring UDP ports")
