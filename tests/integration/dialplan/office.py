"""The test's handle on the phones that are called."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np

from tests.integration.feed import Feed, Item
from tests.integration.spectrum import Samples


class Office:
    """`async with Office(directory) as office: office.do("answer op1")`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._feed = Feed()
        self.port = 0
        """Where all of them are called."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.dialplan.phones", str(self._directory)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._reader = asyncio.create_task(self._feed.consume(self._process.stdout))
        self.port = int((await self._feed.first("listening", 15))["port"])
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            await self._reader

    @property
    def events(self) -> list[Item]:
        """Everything that the phones have told so far."""
        return self._feed.items

    def do(self, *commands: str) -> None:
        """Have something done."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{command}\n" for command in commands).encode())

    async def event(self, name: str, user: str, *, since: int, within_s: float = 10.0) -> Item:
        """The first event of a user's phone from index `since` on, waiting for it."""
        return await self._feed.first(name, within_s, since=since, where=lambda e: e["user"] == user)

    async def until(self, reached: Callable[[list[Item]], bool], within_s: float = 10.0) -> None:
        """Wait until something holds of the events."""
        assert await self._feed.until(reached, within_s), self._feed.tail()

    async def anybody(self, *, since: int) -> str:
        """Whose phone rings first from index `since` on."""
        await self.until(lambda _events: bool(self.named("invited", since)))
        return self.named("invited", since)[0]

    def named(self, name: str, since: int) -> list[str]:
        """Users of all events of a name, in order."""
        return [event["user"] for event in self.events[since:] if event["event"] == name]

    async def heard(self, user: str, *, since: int) -> Samples:
        """What a user's phone heard, once its call is over."""
        left = await self.event("left", user, since=since)
        return np.frombuffer(Path(left["heard"]).read_bytes(), dtype="<i2")
