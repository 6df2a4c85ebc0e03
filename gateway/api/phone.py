"""`/phone`: a page that calls the gateway from a browser, and the list of whom it can call.

    GET /phone               the page
    GET /phone/{file}        its parts
    GET /phone/agents.json   {"agents": [name, …]}, for people who have signed in and who may read
    GET /phone/settings.json {"people": whether anybody can sign in}

The page needs nothing from elsewhere and may load nothing from elsewhere (Content-Security-Policy).
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.helpers import ETag

PAGE: Final = "/phone"

_DIRECTORY: Final = Path(__file__).parent / "static" / "phone"
_INDEX: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_HEADERS: Final = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Ask again each time, by ETag: a page must never run with the parts of another version.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _File:
    """One part of the page, in memory."""

    body: bytes
    content_type: str
    etag: str


class PhonePage:
    """Serves the page."""

    def __init__(
        self,
        agents: Iterable[str],
        may_read: Callable[[web.Request], Awaitable[object]],
        *,
        people: bool = False,
    ) -> None:
        """`may_read` raises if the request may not learn the agents' names. `people`: any may sign in."""
        self._people = people
        self._agents = list(agents)
        self._may_read = may_read
        self._files = {path.name: _read(path) for path in _DIRECTORY.iterdir() if path.suffix in _TYPES}

    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""
        return [
            web.get(PAGE, self._index),
            web.get(f"{PAGE}/", self._without_slash),
            web.get(f"{PAGE}/agents.json", self._list_agents),
            web.get(f"{PAGE}/settings.json", self._settings),
            web.get(f"{PAGE}/{{file}}", self._part),
        ]

    async def _index(self, request: web.Request) -> web.Response:
        return _response(request, self._files[_INDEX])

    async def _without_slash(self, _request: web.Request) -> web.Response:
        """The page names its parts relative to `/phone`, so that it works behind a path of a proxy's."""
        raise web.HTTPPermanentRedirect(f"..{PAGE}")

    async def _part(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["file"])
        if found is None:
            raise web.HTTPNotFound
        return _response(request, found)

    async def _list_agents(self, request: web.Request) -> web.Response:
        await self._may_read(request)
        return web.json_response({"agents": self._agents}, headers={"Cache-Control": "no-store"})

    async def _settings(self, _request: web.Request) -> web.Response:
        return web.json_response({"people": self._people}, headers={"Cache-Control": "no-store"})


def _read(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:20])


def _response(request: web.Request, file: _File) -> web.Response:
    known = any(tag.value in (file.etag, "*") for tag in request.if_none_match or ())
    response = web.Response(status=304) if known else web.Response(body=file.body, charset="utf-8")
    if not known:
        response.content_type = file.content_type
    response.headers.update(_HEADERS)
    response.etag = ETag(file.etag)
    return response
