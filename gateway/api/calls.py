"""`/v1/calls`: what calls there are and were.

GET /v1/calls?limit=20    those in progress, then the latest that ended, newest first
GET /v1/calls/{id}        one, with its timeline so far
"""

from aiohttp import web

from gateway.api.access import Access
from gateway.api.call_json import ended_call, live_call
from gateway.api.problems import ProblemError
from gateway.api.signalling import call_id_of
from gateway.calls.service import CallService
from gateway.store.calls import CallStore

_MAX_LISTED = 1000


class Calls:
    """The resource."""

    def __init__(self, service: CallService, store: CallStore, access: Access) -> None:
        self._service = service
        self._store = store
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""
        return [web.get("/v1/calls", self._list), web.get("/v1/calls/{call_id}", self._show)]

    async def _list(self, request: web.Request) -> web.Response:
        await self._access.require(request, "read")
        limit = _limit(request.query.get("limit", "20"))
        ended = [ended_call(record) for record in await self._store.list_calls(limit=limit)]
        live = [live_call(call) for call in reversed(self._service.calls)]
        # A call is written down a moment before it stops being live, or after.
        over = {call["id"] for call in ended}
        calls = [call for call in live if call["id"] not in over] + ended
        return web.json_response({"object": "list", "data": calls[:limit]})

    async def _show(self, request: web.Request) -> web.Response:
        await self._access.require(request, "read")
        call_id = call_id_of(request)
        call = self._service.find(call_id)
        if call is not None:
            return web.json_response(live_call(call, timeline=True))
        record = await self._store.get(call_id)
        if record is None:
            raise ProblemError(404, "there is no such call")
        return web.json_response(ended_call(record, timeline=True))


def _limit(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= _MAX_LISTED:
        return int(text)
    raise ProblemError(400, f"expected a whole number from 1 to {_MAX_LISTED}", param="limit")
