"""Errors of the HTTP API as RFC 9457 problem details."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import UNSET

from gateway.api.shapes import Problem
from gateway.observe.log import get_logger
from gateway.store.database import StoreError

PROBLEM_TYPE: Final = "application/problem+json"

log = get_logger()


class ProblemError(Exception):
    """A request that is answered with a problem. `detail` is for people, without secrets."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        param: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`param`: which part of the request it is about."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.param = param
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """The answer. The title is the status's own (RFC 9457 section 4.2.1, about:blank)."""
        body = Problem("about:blank", _phrase(self.status), self.status, self.detail, self.param or UNSET)
        return web.Response(
            status=self.status,
            body=msgspec.json.encode(body),
            content_type=PROBLEM_TYPE,
            headers=self.headers,
        )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns everything that goes wrong into a problem."""
    try:
        return await handler(request)
    except ProblemError as exc:
        return exc.response()
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        headers = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else {}
        return ProblemError(exc.status, _WORDS.get(exc.status, exc.reason), headers=headers).response()
    except StoreError as exc:
        log.error("the API cannot use the database", error=str(exc))
        return ProblemError(503, "the database cannot be used; the log says why").response()
    except Exception:
        # The last resort: a fault in one handler is told and logged, and ends no other request.
        log.exception("a request failed", method=request.method, route=_route(request))
        return ProblemError(500, "this is a fault of the gateway; the log says more").response()


_WORDS: Final = {
    404: "there is nothing at this address",
    405: "this address does not take that method",
    413: "the body is too large",
}


def _route(request: web.Request) -> str:
    """The pattern of the address; the address itself may hold a number."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
