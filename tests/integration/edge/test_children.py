"""Child processes: fed, restarted, ended."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from gateway.edge.children import Child, Lifeline

_T = TypeVar("_T")


class _Watched:
    """A child whose lines, starts and deaths can be waited for."""

    def __init__(self, what: str) -> None:
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.pids: asyncio.Queue[int] = asyncio.Queue()
        self.deaths: asyncio.Queue[str] = asyncio.Queue()
        self.lifeline = Lifeline()
        self.child = Child(
            what,
            ("tests.integration.edge.stand_in", what),
            b"configuration\n",
            self.lifeline,
            on_line=self.lines.put_nowait,
            on_start=self.pids.put_nowait,
            on_death=self.deaths.put_nowait,
        )


@asynccontextmanager
async def _running(what: str) -> AsyncIterator[_Watched]:
    watched = _Watched(what)
    task = asyncio.create_task(watched.child.run())
    try:
        yield watched
    finally:
        await watched.child.stop(2.0)
        await task


async def _soon(queue: "asyncio.Queue[_T]") -> _T:
    async with asyncio.timeout(20):
        return await queue.get()


async def test_the_first_line_is_the_configuration_and_the_input_stays_open() -> None:
    async with _running("echo") as watched:
        assert await _soon(watched.lines) == b"ready\n"
        assert await _soon(watched.lines) == b"CONFIGURATION\n"
        watched.child.write(b"order\n")
        assert await _soon(watched.lines) == b"ORDER\n"


async def test_it_does_not_share_our_session() -> None:
    async with _running("echo") as watched:
        pid = await _soon(watched.pids)
        await _soon(watched.lines)
        assert os.getsid(pid) == pid


async def test_a_killed_child_comes_back_at_once() -> None:
    async with _running("echo") as watched:
        first = await _soon(watched.pids)
        await _soon(watched.lines)
        os.kill(first, signal.SIGKILL)
        assert await _soon(watched.deaths) == "signal 9"
        assert await _soon(watched.pids) != first


async def test_one_that_keeps_dying_is_started_ever_more_slowly() -> None:
    async with _running("die") as watched:
        times = []
        for _ in range(4):
            assert await _soon(watched.deaths) == "exit 3"
            times.append(time.monotonic())
        assert watched.child.early_deaths == 4
        assert times[3] - times[2] >= 0.5


async def test_a_stubborn_child_is_killed() -> None:
    async with _running("stubborn") as watched:
        pid = await _soon(watched.pids)
        assert await _soon(watched.lines) == b"ready\n"
        await watched.child.stop(0.2)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_stopped_child_stays_down() -> None:
    async with _running("echo") as watched:
        await _soon(watched.lines)
        await watched.child.stop(5.0)
        assert await watched.child.ended_within(0.0)
        assert watched.deaths.empty()
        watched.child.write(b"into the void\n")


async def test_the_end_of_the_lifeline_ends_a_child_that_watches_it() -> None:
    async with _running("stubborn") as watched:
        await _soon(watched.lines)
        watched.lifeline.cut()
        assert await _soon(watched.deaths) == "exit 0"
        watched.child.no_more()
