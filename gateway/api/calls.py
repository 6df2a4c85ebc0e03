"""`/v1/calls`: what calls there are and were.

GET /v1/calls?limit=20    those in progress, then the latest that ended, newest first
GET /v1/calls/{id}        one, with its timeline so far
"""

from typing import Annotated, Final

from aiohttp import web
from msgspec import Meta

from gateway.api.access import Client
from gateway.api.call_json import ended_call, live_call
from gateway.api.operations import Gives, Operation, Parameter, json_response
from gateway.api.problems import ProblemError
from gateway.api.shapes import Call as ShownCall
from gateway.api.shapes import CallList
from gateway.api.signalling import call_id_of
from gateway.calls.service import CallService
from gateway.store.calls import CallStore

_MAX_LISTED: Final = 1000
_LISTED: Final = 20


class Calls:
    """The resource."""

    def __init__(self, service: CallService, store: CallStore) -> None:
        self._service = service
        self._store = store

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        limit = Annotated[int, Meta(ge=1, le=_MAX_LISTED)]
        return [
            Operation(
                id="listCalls",
                method="GET",
                path="/v1/calls",
                group="Calls",
                summary="List calls",
                details="Those in progress, newest first, then the latest that ended.",
                needs="read",
                act=self._list,
                parameters=[Parameter("limit", f"How many; {_LISTED} unless said otherwise.", limit)],
                gives=[Gives(200, "Calls, without their timelines.", CallList)],
                fails=[400],
            ),
            Operation(
                id="getCall",
                method="GET",
                path="/v1/calls/{call_id}",
                group="Calls",
                summary="Show a call",
                needs="read",
                act=self._show,
                gives=[Gives(200, "The call, with its timeline so far.", ShownCall)],
                fails=[404],
            ),
        ]

    async def _list(self, request: web.Request, _client: Client) -> web.Response:
        limit = _limit(request.query.get("limit", str(_LISTED)))
        ended = [ended_call(record) for record in await self._store.list_calls(limit=limit)]
        live = [live_call(call) for call in reversed(self._service.calls)]
        # A call is written down a moment before it stops being live, or after.
        over = {call["id"] for call in ended}
        calls = [call for call in live if call["id"] not in over] + ended
        return json_response({"object": "list", "data": calls[:limit]})

    async def _show(self, request: web.Request, _client: Client) -> web.Response:
        call_id = call_id_of(request)
        call = self._service.find(call_id)
        if call is not None:
            return json_response(live_call(call, timeline=True))
        record = await self._store.get(call_id)
        if record is None:
            raise ProblemError(404, "there is no such call")
        return json_response(ended_call(record, timeline=True))


def _limit(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= _MAX_LISTED:
        return int(text)
    raise ProblemError(400, f"expected a whole number from 1 to {_MAX_LISTED}", param="limit")
