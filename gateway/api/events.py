"""Event streams: what happens in calls, as it happens (server-sent events).

GET /v1/events             of all calls, from now on
GET /v1/calls/{id}/events  of one call, from its beginning to its end

A client that comes back with `Last-Event-ID` gets what it missed: of a live call always, of all calls
as far as is remembered. Where something is missing, an event `gap` says so.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from aiohttp import web

from gateway.api.access import Access, Client
from gateway.api.event_hub import MAX_CLIENTS, EventHub, Subscription
from gateway.api.operations import Gives, Operation, Parameter
from gateway.api.problems import ProblemError
from gateway.api.signalling import call_id_of
from gateway.api.sse import (
    EVENT_STREAM_TYPE,
    HEARTBEAT,
    Told,
    notice_text,
    opening,
    read_event_id,
    told_text,
)
from gateway.calls.journal import Journal
from gateway.calls.service import CallService
from gateway.core.record import TimelineKind
from gateway.store.calls import CallStore
from gateway.store.database import StoreError

HEARTBEAT_S: Final = 15.0
_LAST_WORD_S: Final = 5.0
"""How long a client that was too slow has to fetch what waits and the word that it is dropped."""
_SEND_BUFFER_BYTES: Final = 64 << 10
"""A client that does not read is noticed after this, not after the megabytes that a kernel would take."""

_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Events:
    """The resource."""

    def __init__(
        self,
        hub: EventHub,
        service: CallService,
        store: CallStore,
        access: Access,
        on_dropped: Callable[[], None],
        heartbeat_s: float,
    ) -> None:
        """`on_dropped`: a client was too slow."""
        self._hub = hub
        self._service = service
        self._store = store
        self._access = access
        self._on_dropped = on_dropped
        self._heartbeat_s = heartbeat_s

    def operations(self) -> list[Operation]:
        """What can be done with it."""
        resuming = [Parameter("Last-Event-ID", "Where to go on: the last `id` that came.", where="header")]
        stream = Gives(
            200,
            "Server-sent events, named after the kinds of a timeline's entries; `data` is a CallEvent. "
            "`gap`: something before is missing · `dropped`: the stream ends, for the `reason` given.",
            media_type=EVENT_STREAM_TYPE,
        )
        return [
            Operation(
                id="streamEvents",
                method="GET",
                path="/v1/events",
                group="Events",
                summary="Follow all calls",
                needs="read",
                act=self._of_all,
                parameters=resuming,
                gives=[stream],
            ),
            Operation(
                id="streamCallEvents",
                method="GET",
                path="/v1/calls/{call_id}/events",
                group="Events",
                summary="Follow one call",
                details="From its beginning to its end, after which the stream ends.",
                needs="read",
                act=self._of_call,
                parameters=resuming,
                gives=[stream, Gives(204, "The call is over; clients of streams then stop asking.")],
                fails=[404],
            ),
        ]

    async def _of_all(self, request: web.Request, _client: Client) -> web.StreamResponse:
        self._check_room()
        last = read_event_id(request.headers.get("Last-Event-ID", ""))
        missed = self._hub.since(last.number) if last and last.epoch == self._hub.epoch else None
        subscription = self._hub.subscribe_all()
        gap = "Last-Event-ID" in request.headers and missed is None
        return await self._stream(request, subscription, missed or [], gap=gap)

    async def _of_call(self, request: web.Request, _client: Client) -> web.StreamResponse:
        self._check_room()
        call_id = call_id_of(request)
        call = self._service.find(call_id)
        if call is None:
            if await self._store.get(call_id) is None:
                raise ProblemError(404, "there is no such call")
            return web.Response(status=204)
        missed, gap = self._missed(call.journal, request.headers.get("Last-Event-ID"))
        subscription = self._hub.subscribe_call(call_id, len(call.journal.events))
        return await self._stream(request, subscription, missed, gap=gap)

    def _check_room(self) -> None:
        if self._hub.clients >= MAX_CLIENTS:
            raise ProblemError(503, f"{MAX_CLIENTS} clients listen already", headers={"Retry-After": "5"})

    def _missed(self, journal: Journal, last_id: str | None) -> tuple[list[Told], bool]:
        """Events of a call that the client does not have, and whether it has some of another count."""
        last = read_event_id(last_id or "")
        known = last if last and last.epoch == self._hub.epoch and last.number < len(journal.events) else None
        first = 0 if known is None else known.number + 1
        told = [Told(number, journal.facts.id, event) for number, event in enumerate(journal.events)]
        return told[first:], last_id is not None and known is None

    async def _stream(
        self, request: web.Request, subscription: Subscription, missed: list[Told], *, gap: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = EVENT_STREAM_TYPE
        try:
            _limit_buffer(request)
            await response.prepare(request)
            await response.write(opening() + (notice_text("gap", {}) if gap else b""))
            await self._pump(request, response, subscription, missed)
        except OSError:
            # The client has gone, as clients of streams do.
            return response
        finally:
            self._hub.leave(subscription)
        return response

    async def _pump(
        self,
        request: web.Request,
        response: web.StreamResponse,
        subscription: Subscription,
        missed: list[Told],
    ) -> None:
        """Until the call or the gateway ends, the client leaves, loses its right, or is dropped."""
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(None) as limit:

                def last_word() -> None:
                    limit.reschedule(now() + _LAST_WORD_S)

                subscription.on_overflow = last_word
                if subscription.overflowed:
                    last_word()
                told, beat_at = missed, now() + self._heartbeat_s
                while not await self._wrote_the_end(response, subscription, told):
                    if now() >= beat_at:
                        if not await self._may_stay(request, response, subscription):
                            return
                        beat_at = now() + self._heartbeat_s
                    told = await subscription.take(beat_at - now())
                if not subscription.overflowed:
                    return
                await response.write(notice_text("dropped", {"reason": "the client reads too slowly"}))
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        self._on_dropped()

    async def _wrote_the_end(
        self, response: web.StreamResponse, subscription: Subscription, told: list[Told]
    ) -> bool:
        for each in told:
            await self._write(response, told_text(each, self._hub.epoch))
            if subscription.call_id is not None and each.event.kind is TimelineKind.ENDED:
                return True
        return subscription.exhausted

    async def _may_stay(
        self, request: web.Request, response: web.StreamResponse, subscription: Subscription
    ) -> bool:
        """Whether the key and the call are still there; writing fails if the client isn't."""
        call_id = subscription.call_id
        if call_id is not None and self._service.find(call_id) is None:
            return False
        try:
            await self._access.require(request, "read")
        except ProblemError as exc:
            await response.write(notice_text("dropped", {"reason": exc.detail}))
            return False
        except StoreError:
            await response.write(notice_text("dropped", {"reason": "the database cannot be used"}))
            return False
        await self._write(response, HEARTBEAT)
        return True

    async def _write(self, response: web.StreamResponse, text: bytes) -> None:
        """Raises `TimeoutError` when the client takes nothing for as long as a beat."""
        async with asyncio.timeout(self._heartbeat_s):
            await response.write(text)


def _limit_buffer(request: web.Request) -> None:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
