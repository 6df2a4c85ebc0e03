"""What the API can do, as one table: its routes and its OpenAPI document are both made from it.

A request goes the same way for every operation: first whether the client may, then whether the body
is what the table says, then the handler.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.api.access import Access, Client
from gateway.api.bodies import read_text
from gateway.api.handlings import Handlings
from gateway.api.problems import ProblemError
from gateway.api.wishes import BadWishError, read_as
from gateway.store.keys import Role

MAX_JSON_BYTES: Final = 64 << 10
JSON_TYPE: Final = "application/json"

Needs = Role | Literal["caller", "nobody"]
"""Who may: a role · caller: operate, or the client secret or person of the call; the handler itself
finds out, for a secret is used up by it · nobody: everybody."""

Act = Callable[[web.Request, Client], Awaitable[web.StreamResponse]]

UNCHECKED: Final = Client("unchecked")
"""Given to handlers that look at the client themselves."""

_FIELD: Final = re.compile(r"`\$\.([^`]+)`$")
"""Where msgspec says that the mistake is."""

_B = TypeVar("_B")


@dataclass(frozen=True, slots=True)
class Takes(Generic[_B]):
    """A handler that wants a JSON body of this type."""

    model: type[_B]
    act: Callable[[web.Request, Client, _B], Awaitable[web.StreamResponse]]

    async def __call__(self, request: web.Request, client: Client) -> web.StreamResponse:
        """Read, check, handle."""
        return await self.act(request, client, await read_json(request, self.model))


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is not just JSON."""

    media_type: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Of a form, by name: a type that is sent as JSON, or `str`. Empty: the whole body is a text."""


@dataclass(frozen=True, slots=True)
class Gives:
    """One successful answer."""

    status: int
    what: str
    model: Any = None
    """Type of a JSON body."""
    media_type: str = ""
    """Of a body that is not JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that matter, and what they mean."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, or a header of the request."""

    name: str
    what: str
    kind: Any = str
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address."""

    id: str
    method: Literal["GET", "POST", "DELETE", "PATCH", "OPTIONS"]
    path: str
    group: str
    summary: str
    needs: Needs
    act: Act | Takes[Any]
    gives: Sequence[Gives]
    fails: Sequence[int] = ()
    """Statuses of its own; those of every operation (bad body, no key) go without saying."""
    details: str = ""
    parameters: Sequence[Parameter] = ()
    contents: Sequence[Content] = ()
    abandonable: bool = False
    """Who leaves before the answer takes the request back; all others are carried out."""

    def route(self, access: Access, handlings: Handlings) -> web.RouteDef:
        """For the HTTP server; `handlings` carries out what is not abandonable."""
        handle = _guarded(self, access)
        return web.route(self.method, self.path, handle if self.abandonable else handlings.to_the_end(handle))


def _guarded(operation: Operation, access: Access) -> Handler:
    needs, act = operation.needs, operation.act

    async def handle(request: web.Request) -> web.StreamResponse:
        if needs == "caller" or needs == "nobody":
            return await act(request, UNCHECKED)
        return await act(request, await access.require(request, needs))

    return handle


async def read_json(request: web.Request, model: type[_B]) -> _B:
    """The body as a model; none at all counts as an empty object. Raises `ProblemError`."""
    text = await read_text(request, MAX_JSON_BYTES)
    if text and request.content_type != JSON_TYPE:
        raise ProblemError(415, f"expected {JSON_TYPE}")
    try:
        return read_as(text or "{}", model, "body")
    except BadWishError as exc:
        found = _FIELD.search(str(exc))
        raise ProblemError(exc.status, str(exc), param=found[1] if found else exc.param) from exc


def json_response(body: Any, *, secret: bool = False) -> web.Response:
    """200 with a model or plain values. `secret`: nobody between us and the client may keep a copy."""
    headers = {"Cache-Control": "no-store"} if secret else None
    return web.Response(body=msgspec.json.encode(body), content_type=JSON_TYPE, headers=headers)
