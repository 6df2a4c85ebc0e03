"""Health, readiness and metrics over HTTP."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.api.http import HttpServer
from gateway.config.models import HttpListen
from gateway.errors import LocalError
from gateway.observe.metrics import Metrics

ANY_PORT = HttpListen(address="127.0.0.1", port=0)


class Running:
    """A server and a client for it."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.reason = "starting"
        self.metrics = Metrics(lambda: 1, lambda: 2)
        self.server = HttpServer(ANY_PORT, self.metrics, lambda: self.reason)
        self._http = http

    def get(self, path: str) -> "aiohttp.client._RequestContextManager":
        """One request."""
        return self._http.get(f"http://127.0.0.1:{self.server.port}{path}")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with aiohttp.ClientSession() as http:
        it = Running(http)
        await it.server.start()
        yield it
        await it.server.close()


async def test_alive_from_the_start(running: Running) -> None:
    async with running.get("/healthz") as response:
        assert response.status == 200
        assert await response.json() == {"status": "alive"}


@pytest.mark.parametrize("reason", ["starting", "draining", "no line card"])
async def test_not_ready_says_why(running: Running, reason: str) -> None:
    running.reason = reason
    async with running.get("/readyz") as response:
        assert response.status == 503
        assert await response.json() == {"status": "not ready", "reason": reason}


async def test_ready(running: Running) -> None:
    running.reason = ""
    async with running.get("/readyz") as response:
        assert response.status == 200


async def test_metrics_are_text_for_prometheus(running: Running) -> None:
    async with running.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "gateway_calls_live 1.0" in await response.text()


@pytest.mark.parametrize("path", ["/", "/metrics/x", "/../etc/passwd"])
async def test_nothing_else_is_served(running: Running, path: str) -> None:
    async with running.get(path) as response:
        assert response.status == 404


async def test_a_port_in_use_is_one_clear_error(running: Running) -> None:
    taken = HttpListen(address="127.0.0.1", port=running.server.port)
    second = HttpServer(taken, running.metrics, lambda: "")
    with pytest.raises(LocalError, match=rf"http\.listen 127\.0\.0\.1:{taken.port} cannot be used: .*in use"):
        await second.start()


async def test_an_address_that_is_not_ours(running: Running) -> None:
    elsewhere = HttpServer(HttpListen(address="192.0.2.1", port=1), running.metrics, lambda: "")
    with pytest.raises(LocalError, match=r"192\.0\.2\.1"):
        await elsewhere.start()
