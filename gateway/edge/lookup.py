"""Questions the router can't answer by itself: which interface faces a peer, what a name stands for."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final

from gateway.edge.commands import Resolve
from gateway.edge.face import LOOPBACK
from gateway.observe.log import get_logger

_CACHE_S: Final = 30.0
_CACHE_ENTRIES: Final = 4096
_NAME_TIMEOUT_S: Final = 5.0
_NAMES_AT_ONCE: Final = 64

log = get_logger()


class InterfaceLookup:
    """The local address that packets to a peer leave from, remembered for a short while."""

    def __init__(self) -> None:
        self._cache: dict[str, str] = {}
        self._since = 0.0

    def __call__(self, peer: str) -> str:
        """A connected UDP socket sends nothing, but has the kernel choose the route."""
        now = time.monotonic()
        if now - self._since > _CACHE_S or len(self._cache) >= _CACHE_ENTRIES:
            self._cache.clear()
            self._since = now
        known = self._cache.get(peer)
        if known is None:
            known = self._cache[peer] = _ask_kernel(peer)
        return known


def _ask_kernel(peer: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
        except OSError:
            log.warning("no route to a peer", personal={"peer": peer})
            return LOOPBACK
        return str(probe.getsockname()[0])


class NameLookup:
    """Looks host names up; a bounded number at once, each with a deadline."""

    def __init__(self, on_answer: Callable[[Resolve, str | None], None]) -> None:
        self._on_answer = on_answer
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, question: Resolve) -> None:
        """The answer comes by the callback, None when there is none."""
        if len(self._tasks) >= _NAMES_AT_ONCE:
            self._on_answer(question, None)
            return
        task = asyncio.get_running_loop().create_task(self._look_up(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Forget what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look_up(self, question: Resolve) -> None:
        kind = socket.SOCK_STREAM if question.transport == "tcp" else socket.SOCK_DGRAM
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_NAME_TIMEOUT_S):
                found = await loop.getaddrinfo(question.host, question.port, family=socket.AF_INET, type=kind)
        except (OSError, TimeoutError, UnicodeError) as exc:
            log.warning("host name not found", error=type(exc).__name__, personal={"host": question.host})
            self._on_answer(question, None)
        else:
            self._on_answer(question, str(found[0][4][0]) if found else None)
