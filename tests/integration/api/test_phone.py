"""The phone page as files over HTTP: headers, types, caching, and nothing beyond its own parts."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gateway.api.phone import PhonePage


class Running:
    """A server of the page and a client for it."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self._http, self._base = http, base

    def get(
        self, path: str, headers: dict[str, str] | None = None
    ) -> "aiohttp.client._RequestContextManager":
        """One request that follows no redirects."""
        return self._http.get(self._base + path, headers=headers, allow_redirects=False)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async def only_with_key(request: web.Request) -> None:
        if "Authorization" not in request.headers:
            raise web.HTTPUnauthorized

    app = web.Application()
    app.add_routes(PhonePage(["reception", "billing"], only_with_key).routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        yield Running(http, f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


async def test_the_page_and_all_that_it_names_are_served(running: Running) -> None:
    async with running.get("/phone") as response:
        assert response.content_type == "text/html"
        page = await response.text()
    waiting = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(waiting) == 3
    seen = set()
    while waiting:
        path = waiting.pop()
        async with running.get(f"/{path}") as response:
            assert response.status == 200, path
            text = await response.text()
        seen.add(path)
        if path.endswith(".js"):
            assert response.content_type == "text/javascript"
            imported = {f"phone/{name}" for name in re.findall(r'from "\./([^"]+)"', text)}
            waiting += imported - seen
    assert {"phone/phone.css", "phone/phone.js", "phone/call.js", "phone/turns.js"} <= seen


@pytest.mark.parametrize("path", ["/phone", "/phone/phone.js", "/phone/icon.svg"])
async def test_nothing_may_come_from_elsewhere(running: Running, path: str) -> None:
    async with running.get(path) as response:
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert all(directive.split(" ", 1)[1] in ("'self'", "'none'") for directive in policy)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "://" not in (await response.text()).replace("http://www.w3.org/2000/svg", "")


async def test_a_part_that_has_not_changed_is_not_sent_again(running: Running) -> None:
    async with running.get("/phone/call.js") as first:
        tag = first.headers["ETag"]
    async with running.get("/phone/call.js", {"If-None-Match": tag}) as again:
        assert again.status == 304
        assert await again.read() == b""
    async with running.get("/phone/call.js", {"If-None-Match": '"another"'}) as changed:
        assert changed.status == 200


@pytest.mark.parametrize("path", ["/phone/..%2f..%2fhttp.py", "/phone/phone.py", "/phone/x/call.js"])
async def test_nothing_else_is_served(running: Running, path: str) -> None:
    async with running.get(path) as response:
        assert response.status == 404


async def test_a_slash_too_many_leads_to_the_page(running: Running) -> None:
    async with running.get("/phone/") as response:
        assert response.status == 308
        assert response.headers["Location"] == "../phone"


async def test_agents_are_listed_only_for_who_may_read(running: Running) -> None:
    async with running.get("/phone/agents.json") as response:
        assert response.status == 401
    async with running.get("/phone/agents.json", {"Authorization": "Bearer x"}) as response:
        assert await response.json() == {"agents": ["reception", "billing"]}
        assert response.headers["Cache-Control"] == "no-store"
