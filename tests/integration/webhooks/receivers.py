"""A receiver of webhooks over HTTP, and a sender with counters."""

import asyncio
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from gateway.config.webhooks import WebhookReceiver
from gateway.core.ids import CallId, LegId
from gateway.webhooks.ledger import Ledger
from gateway.webhooks.sender import Webhooks
from gateway.wire import card as wire

SECRET = "whsec_" + b64encode(b"k" * 32).decode()
OFFERED = wire.Incoming(LegId(1), "a@far", "sip:1@gw", "<sip:2@far>", "<sip:1@gw>", (), "udp:p", 1.0)
CALL = CallId("call_0123456789abcdef0123")


class Receiver:
    """Answers with the planned statuses, then with 200; every request has to verify."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.heard: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0
        self._news = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        event = Webhook(SECRET).verify(body, dict(request.headers))
        assert request.headers["webhook-id"] == event["id"]
        async with self._news:
            self.paths.append(request.path)
            self.heard.append(event)
            self._news.notify_all()
        await self.open.wait()
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return web.Response(status=status, headers=headers)

    async def until(self, requests: int) -> None:
        """Wait for that many requests in all."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.heard) >= requests)


class Bench:
    """A sender, what it counts, and how long it would have slept."""

    def __init__(
        self,
        receiver: Receiver,
        events: list[str] | None = None,
        port: int | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.counted = asyncio.Event()
        self.slept_s: list[float] = []
        self.offset_s = 0.0
        at = f"http://127.0.0.1:{receiver.port if port is None else port}/calls"
        config = WebhookReceiver.model_validate(
            {"url": at, "secret": SECRET} | ({"events": events} if events else {})
        )
        self.sender = Webhooks([config], self._count, self._wall, self._sleep, ledger)

    def _wall(self) -> float:
        return time.time() + self.offset_s

    def _count(self, event: str, outcome: str) -> None:
        self.counts[event, outcome] += 1
        self.counted.set()

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


@asynccontextmanager
async def sending(bench: Bench) -> AsyncIterator[Webhooks]:
    await bench.sender.start()
    try:
        yield bench.sender
    finally:
        await bench.sender.close(10)
