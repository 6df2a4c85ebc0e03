"""From a request to the call that it steers: found, free, and with the reasons why not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal
from weakref import WeakValueDictionary

from aiohttp import web

from gateway.api.access import Client
from gateway.api.problems import ProblemError
from gateway.api.signalling import call_id_of
from gateway.calls.call import Call
from gateway.calls.desk import NotPossibleError
from gateway.calls.service import CallService
from gateway.core.ids import CallId
from gateway.errors import LocalError
from gateway.observe.log import get_logger
from gateway.store.calls import CallStore

Pace = Literal["quick", "slow"]
"""slow: as long as a phone rings. Commands of the other kind don't wait for it."""

_OVER: Final = "the call is over"

log = get_logger()


class Commanding:
    """One command of each pace at a time for each call, in the order in which they came."""

    def __init__(self, service: CallService, store: CallStore) -> None:
        self._service = service
        self._store = store
        self._locks: WeakValueDictionary[tuple[CallId, Pace], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def command(
        self, request: web.Request, client: Client, name: str, pace: Pace = "quick"
    ) -> AsyncIterator[Call]:
        """The call of this address, while the block commands it. What it refuses becomes a problem."""
        call = await self._find(call_id_of(request))
        lock = self._locks.setdefault((call.id, pace), asyncio.Lock())
        async with lock:
            if self._service.find(call.id) is not call:
                raise ProblemError(409, _OVER)
            try:
                yield call
            except NotPossibleError as exc:
                raise ProblemError(exc.status, str(exc)) from exc
            except LocalError as exc:
                raise ProblemError(409, str(exc)) from exc
        log.info("call commanded", call_id=call.id, command=name, by=client.identity)

    async def _find(self, call_id: CallId) -> Call:
        call = self._service.find(call_id)
        if call is not None:
            return call
        if await self._store.get(call_id) is not None:
            raise ProblemError(409, _OVER)
        raise ProblemError(404, "there is no such call")
