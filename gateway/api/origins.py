"""Which web pages may use the API: cross-origin requests (CORS) and the check that no page slips by.

A browser asks before it sends most cross-origin requests, but not before a form, and a multipart
body is a form. Therefore every request that names a foreign `Origin` is refused, not only those
that a browser would have asked about.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.api.problems import ProblemError

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE, PATCH, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}
WHIP_OPTIONS: Final = {"Accept-Post": "application/sdp"}
"""What OPTIONS of a WHIP endpoint tells, also when a browser asks (RFC 9725 section 4.2)."""
_EXPOSED: Final = "Location, Retry-After"
_PAGE: Final = web.RequestKey("page", str)
"""Where a request keeps the foreign origin whose page may read the answer."""
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
        if not foreign:
            return await handler(request)
        request[_PAGE] = origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            whip = request.path.startswith("/whip/")
            return web.Response(
                status=200 if whip else 204, headers=_PREFLIGHT | (WHIP_OPTIONS if whip else {})
            )
        return await handler(request)

    return check


async def let_page_read(request: web.Request, response: web.StreamResponse) -> None:
    """A signal for just before an answer's headers leave, so that streams and errors can be read, too."""
    origin = request.get(_PAGE)
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers["Vary"] = "Origin"


def same_origin(origin: str, host: str) -> bool:
    """Whether a page of `origin` came from `host` (the request's Host header).

    The scheme is not compared: a proxy in front may speak TLS where we do not.
    """
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False
