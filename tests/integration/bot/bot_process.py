"""A real bot process on a free port, for tests."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.bot.process import LIFELINE_VARIABLE
from gateway.config.models import GatewayConfig


@dataclass(slots=True)
class BotProcess:
    """A running bot and what it has logged."""

    process: asyncio.subprocess.Process
    port: int
    log: list[dict[str, Any]]
    speech_ready: asyncio.Event

    @property
    def url(self) -> str:
        """WebSocket URL of the API's root."""
        return f"ws://127.0.0.1:{self.port}/v1"


async def _read_log(process: asyncio.subprocess.Process, log: list[dict[str, Any]]) -> AsyncIterator[str]:
    assert process.stderr is not None
    async for line in process.stderr:
        entry = json.loads(line)
        log.append(entry)
        yield str(entry["event"])


@asynccontextmanager
async def running_bot(*arguments: str) -> AsyncIterator[BotProcess]:
    """`python -m gateway.bot` on TCP; asserts that it leaves in order when told to.

    `speech_ready` of what it yields is set when everything it says has been synthesised.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.bot", "--no-config", "--listen", "127.0.0.1:0", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    log: list[dict[str, Any]] = []
    events = _read_log(process, log)
    try:
        async with asyncio.timeout(30):
            async for event in events:
                if event == "bot listens":
                    break
        assert log, "the bot ended without a word"
        assert log[-1]["event"] == "bot listens", log

        ready = asyncio.Event()

        async def rest() -> None:
            async for event in events:
                if event == "speech ready":
                    ready.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rest())
            try:
                yield BotProcess(process, log[-1]["port"], log, ready)
            finally:
                if process.returncode is None:
                    process.terminate()
                async with asyncio.timeout(10):
                    await process.wait()
        assert process.returncode == 0, log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def configured_bot(
    config: GatewayConfig, path: Path, *, lifeline: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A bot as the gateway starts it: unix socket, configuration on standard input, which stays open."""
    environment = dict(os.environ)
    if lifeline is not None:
        environment[LIFELINE_VARIABLE] = str(lifeline)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.bot", "--socket", str(path)),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        pass_fds=() if lifeline is None else (lifeline,),
    )
    assert process.stdin is not None
    process.stdin.write(config.for_child())
    log: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(30):
            async for event in _read_log(process, log):
                if event == "bot listens":
                    break
        assert log, "the bot ended without a word"
        assert log[-1]["event"] == "bot listens", log
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(10):
            await process.wait()
