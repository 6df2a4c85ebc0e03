"""The softphone as a process of its own, led step by step."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from tests.integration.feed import Feed, Item


class Softphone:
    """`async with Softphone(uri) as phone: await phone.event("answered"); phone.do("say x.wav")`.

    Leaving the block ends the script and fails if the phone does not leave by itself.
    """

    def __init__(self, uri: str, *, record: Path | None = None, identity: str = "phone") -> None:
        self._feed = Feed()
        self._command = [sys.executable, "-m", "gateway.softphone", uri, "--from", identity]
        self._command += ["--record", str(record)] if record is not None else []
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Softphone":
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._reader = asyncio.create_task(self._feed.consume(self._process.stdout))
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        process = self._process
        assert process is not None
        if error is not None:
            error.add_note(f"softphone:\n{self._feed.tail()}")
        try:
            await self.finish()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if self._reader is not None:
                await self._reader

    @property
    def events(self) -> list[Item]:
        """Everything the phone has told so far."""
        return self._feed.items

    def do(self, *steps: str) -> None:
        """Append steps to the script."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{step}\n" for step in steps).encode())

    async def finish(self, within_s: float = 30.0) -> Item:
        """End the script, wait until the phone has left, and return its summary."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(within_s):
            await self._process.wait()
            if self._reader is not None:
                await self._reader
        return self.events[-1] if self.events else {}

    async def event(
        self,
        name: str,
        within_s: float = 15.0,
        *,
        since: int = 0,
        where: Callable[[Item], bool] = lambda _event: True,
    ) -> Item:
        """The first event of a name from index `since` on, waiting for it."""
        return await self._feed.first(name, within_s, since=since, where=where)

    async def done(self, *steps: str, within_s: float = 30.0) -> None:
        """Append steps and wait until the last of them is done; fails if one of them failed."""

        def finished(items: list[Item]) -> int:
            return sum(item["event"] == "step_done" for item in items)

        wanted = finished(self.events) + len(steps)
        self.do(*steps)
        done = await self._feed.until(lambda items: finished(items) >= wanted, within_s)
        assert done, f"not done: {steps}\n{self._feed.tail()}"
