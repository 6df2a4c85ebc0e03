"""Requests that are carried out to their end though their clients leave, until the gateway stops."""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.api.problems import ProblemError
from gateway.observe.log import get_logger

_GRACE_S: Final = 2.0
"""How long a request may go on when the gateway stops; then it is cancelled."""
_CANCEL_S: Final = 1.0

log = get_logger()


class Handlings:
    """Owner of the tasks that handle such requests."""

    def __init__(self) -> None:
        self._running: set[asyncio.Future[web.StreamResponse]] = set()
        self._closing = False

    def to_the_end(self, handle: Handler) -> Handler:
        """A handler that goes on when its client leaves. At the gateway's stop it answers 503."""

        async def handle_to_the_end(request: web.Request) -> web.StreamResponse:
            if self._closing:
                raise _stopping()
            handling = asyncio.ensure_future(handle(request))
            self._running.add(handling)
            handling.add_done_callback(self._running.discard)
            try:
                return await asyncio.shield(handling)
            except asyncio.CancelledError:
                if handling.cancelled():
                    raise _stopping() from None
                # The client has gone; what becomes of its request is still to be logged.
                return await handling

        return handle_to_the_end

    async def close(self, grace_s: float = _GRACE_S) -> None:
        """Let them end, for so long; then end them."""
        self._closing = True
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=grace_s)
        if not late:
            return
        log.warning("requests are ended before they were done", count=len(late))
        for handling in late:
            handling.cancel()
        _, stuck = await asyncio.wait(late, timeout=_CANCEL_S)
        if stuck:
            log.error("requests do not end", count=len(stuck))


def _stopping() -> ProblemError:
    return ProblemError(503, "the gateway stops", headers={"Retry-After": "2"})
