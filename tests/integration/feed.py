"""What a child process tells, line by line, and waiting for the line that matters."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

Item = Mapping[str, Any]


class Feed:
    """Collects the JSON objects of a stream; lines that are none are kept as `other`."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.other: list[str] = []
        self._over = False
        self._news = asyncio.Condition()

    async def consume(self, stream: asyncio.StreamReader) -> None:
        """Read until the stream ends."""
        while line := await stream.readline():
            text = line.decode(errors="replace").rstrip("\n")
            async with self._news:
                self._keep(text)
                self._news.notify_all()
        async with self._news:
            self._over = True
            self._news.notify_all()

    def _keep(self, text: str) -> None:
        try:
            item = json.loads(text)
        except ValueError:
            item = None
        if isinstance(item, dict):
            self.items.append(item)
        else:
            self.other.append(text)

    async def until(self, reached: Callable[[list[Item]], bool], within_s: float) -> bool:
        """Wait until `reached` holds of the items; False if time or the stream ends before."""
        try:
            async with self._news, asyncio.timeout(within_s):
                await self._news.wait_for(lambda: reached(self.items) or self._over)
        except TimeoutError:
            return False
        return reached(self.items)

    async def first(
        self,
        name: str,
        within_s: float,
        *,
        since: int = 0,
        where: Callable[[Item], bool] = lambda _item: True,
    ) -> Item:
        """The first item from index `since` on whose `event` is `name`, waiting for it.

        Raises `AssertionError` with the last items if it does not come.
        """

        def find(items: list[Item]) -> Item | None:
            return next((i for i in items[since:] if i.get("event") == name and where(i)), None)

        await self.until(lambda items: find(items) is not None, within_s)
        found = find(self.items)
        assert found is not None, f"no {name!r} within {within_s} s\n{self.tail()}"
        return found

    def tail(self) -> str:
        """The last lines, for a failing test."""
        return "\n".join([*(json.dumps(i) for i in self.items[-40:]), *self.other[-20:]])
