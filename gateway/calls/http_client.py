"""Requests of dialplans and tools to services of the operator's. Bounded in number, size and time."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from gateway.dialplan.runtime import FailureKind, HttpReply, HttpRequest, StepFailedError
from gateway.observe.log import get_logger

_MAX_TOLD: Final = 256
"""Requests on their way that nobody waits for; more are dropped and logged."""
_PASSING: Final = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed a moment later."""

log = get_logger()


class ServiceFailedError(StepFailedError):
    """A service did not answer, or with nothing of use. The message names its host and no more."""

    def __init__(self, kind: FailureKind, reason: str, *, passing: bool = False) -> None:
        """`passing`: it may go better in a moment."""
        super().__init__(kind, reason)
        self.passing = passing


class StepHttpClient:
    """Implements `gateway.calls.parts.HttpClient`."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._told: set[asyncio.Task[None]] = set()

    async def ask(self, request: HttpRequest) -> HttpReply:
        """Raises `ServiceFailedError`."""
        host = "the service"
        try:
            host = URL(request.url).host or host
            async with asyncio.timeout(request.timeout_s):
                return await self._ask(request)
        except TimeoutError as exc:
            reason = f"{host} did not answer within {request.timeout_s:g} s"
            raise ServiceFailedError("timeout", reason, passing=True) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise ServiceFailedError("error", f"{host}: {type(exc).__name__}", passing=True) from exc
        except ValueError as exc:
            # A host or a header that cannot be put on the wire.
            raise ServiceFailedError("error", f"{host}: {type(exc).__name__}") from exc

    def tell(self, request: HttpRequest) -> None:
        """Send it without waiting."""
        if len(self._told) >= _MAX_TOLD:
            log.error("a service is not told of a call: too many requests under way")
            return
        task = asyncio.create_task(self._tell(request))
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def _tell(self, request: HttpRequest) -> None:
        try:
            await self.ask(request)
        except StepFailedError as exc:
            log.warning("a service could not be told of a call", error=str(exc))

    async def _ask(self, request: HttpRequest) -> HttpReply:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        async with self._session.request(
            request.method, request.url, headers=request.headers, json=request.body, allow_redirects=False
        ) as response:
            body = await response.content.read(request.max_bytes + 1)
            host = response.url.host
            if not 200 <= response.status < 300:
                raise ServiceFailedError(
                    "error",
                    f"{host} answered with status {response.status}",
                    passing=response.status in _PASSING,
                )
            while len(body) <= request.max_bytes and (more := await response.content.read(request.max_bytes)):
                body += more
            if len(body) > request.max_bytes:
                raise ServiceFailedError("error", f"{host} answered with more than {request.max_bytes} bytes")
            return HttpReply(response.status, _object(body, str(host), any_json=request.any_json))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in list(self._told):
            task.cancel()
        await asyncio.gather(*self._told, return_exceptions=True)
        if self._session is not None:
            await self._session.close()


def _object(body: bytes, host: str, *, any_json: bool) -> Mapping[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise ServiceFailedError("error", f"{host} did not answer with JSON") from exc
    if isinstance(found, dict):
        return found
    if any_json:
        return {"result": found}
    raise ServiceFailedError("error", f"{host} did not answer with a JSON object")
