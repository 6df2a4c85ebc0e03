"""The Pipecat bot as a process of its own."""

import asyncio
import sys
from typing import Self

from tests.integration.feed import Feed, Item


class PipecatBot:
    """`async with PipecatBot() as bot`; `bot.event(...)` awaits what it tells."""

    def __init__(self) -> None:
        self._feed = Feed()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.url = ""

    @property
    def events(self) -> list[Item]:
        """Everything it has told so far."""
        return self._feed.items

    async def event(self, name: str, within_s: float = 15.0, *, since: int = 0) -> Item:
        """The first event of a name from index `since` on, waiting for it."""
        return await self._feed.first(name, within_s, since=since)

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.backends.pipecat_parrot"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._reader = asyncio.create_task(self._feed.consume(self._process.stdout))
        try:
            listening = await self.event("listening", 60.0)
        except BaseException:
            await self._end()
            raise
        self.url = f"ws://127.0.0.1:{listening['port']}/ws"
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(f"bot:\n{self._feed.tail()}")
        await self._end()

    async def _end(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._reader is not None:
            await self._reader
