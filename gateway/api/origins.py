"""Which web pages may use the API: cross-origin requests (CORS) and the check that no page slips by.

A browser asks before it sends most cross-origin requests, but not before a form, and a multipart
body is a form. Therefore every request that names a foreign `Origin` is refused, not only those
that a browser would have asked about.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.api.problems import ProblemError

_METHODS: Final = "GET, POST, DELETE, PATCH, OPTIONS"
_HEADERS: Final = "Authorization, Content-Type, Last-Event-ID"
_EXPOSED: Final = "Location, Retry-After"
_MAX_AGE_S: Final = "600"
_GUARDED: Final = ("/v1/", "/whip/")


def origins(allowed: Sequence[str]) -> Middleware:
    """Middleware for the origins of the configuration; `*` for any."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is None or not request.path.startswith(_GUARDED):
            return await handler(request)
        foreign = not same_origin(origin, request.host)
        if foreign and "*" not in allowed and origin not in allowed:
            raise ProblemError(403, "pages of this origin may not use the API (webrtc.cors)")
        return await _answered(request, handler, origin if foreign else None)

    return check


async def _answered(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], origin: str | None
) -> web.StreamResponse:
    """`origin`: whom to let read the answer; None for our own pages."""
    preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    response: web.StreamResponse
    if preflight and origin is not None:
        response = web.Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _HEADERS
        response.headers["Access-Control-Max-Age"] = _MAX_AGE_S
    else:
        response = await handler(request)
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers["Vary"] = "Origin"
    return response


def same_origin(origin: str, host: str) -> bool:
    """Whether a page of `origin` came from `host` (the request's Host header).

    The scheme is not compared: a proxy in front may speak TLS where we do not.
    """
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False
