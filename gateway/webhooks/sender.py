"""Webhooks: tells the configured receivers what becomes of calls, without ever holding a call up.

What cannot be delivered at once is kept in the database (`ledger`) for as long as it is tried, so that
the next process goes on with it. Only a message that a caller waits for is of no use later.
"""

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import Final, Literal

import aiohttp

from gateway.config.webhooks import WebhookEvent, WebhookReceiver, signing_key
from gateway.core.ids import CallId
from gateway.core.record import CallKind, CallRecord, TimelineEvent, TimelineKind
from gateway.observe.log import get_logger
from gateway.observe.tasks import report_fault
from gateway.store.database import StoreError
from gateway.webhooks import messages
from gateway.webhooks.delivery import URGENT_FOR_S, Address, Deliverer, DeliveryError, GoneError, Sleep
from gateway.webhooks.ledger import Ledger, name_of
from gateway.webhooks.messages import Message
from gateway.wire import card as wire

MAX_WAITING: Final = 1000
"""Messages that wait for a receiver; more are dropped and counted."""
_AT_ONCE: Final = 8
"""Messages on their way to a receiver at a time, urgent ones and others each."""

Outcome = Literal["delivered", "failed", "dropped", "kept"]
"""kept: the next process goes on with it."""

log = get_logger()


class _Receiver:
    """One configured address. Urgent messages have a lane of their own: nothing else is in their way."""

    def __init__(self, config: WebhookReceiver) -> None:
        self.name = name_of(config.url)
        self.address = Address(config.url, signing_key(config.secret))
        self.events = frozenset(config.events)
        self.gone = False
        self.lanes: dict[bool, asyncio.Queue[Message]] = {
            urgent: asyncio.Queue(MAX_WAITING) for urgent in (True, False)
        }


class Webhooks:
    """Owner of the deliveries. Every `on_…` only enqueues, and costs nothing when nobody is told."""

    def __init__(
        self,
        receivers: list[WebhookReceiver],
        count: Callable[[WebhookEvent, Outcome], None],
        wall: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
        ledger: Ledger | None = None,
    ) -> None:
        """`count` is told how each message to each receiver ended. `wall`: Unix time in seconds.

        Without a `ledger` what is undelivered ends with this process.
        """
        self._receivers = [_Receiver(each) for each in receivers]
        self._count = count
        self._wall = wall
        self._sleep = sleep
        self._ledger = ledger
        self._http: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._drained = False
        """Nobody looks into the lanes any more."""

    # ---- what happens to calls -------------------------------------------------------------------

    def on_incoming(self, call_id: CallId, kind: CallKind, offered: wire.Incoming) -> None:
        """A call came in."""
        if self._wanted("realtime.call.incoming"):
            self._put(messages.incoming(_new_id(), self._wall(), call_id, kind, offered))

    def on_event(self, call_id: CallId, event: TimelineEvent) -> None:
        """Something was written into a call's timeline."""
        if event.kind is TimelineKind.ANSWERED and self._wanted("call.answered"):
            self._put(messages.answered(_new_id(), self._wall(), call_id, event))

    def on_ended(self, record: CallRecord) -> None:
        """A call is over."""
        if self._wanted("call.ended"):
            self._put(messages.ended(_new_id(), self._wall(), record))

    def _wanted(self, event: WebhookEvent) -> bool:
        return any(event in receiver.events for receiver in self._receivers)

    def _put(self, message: Message) -> None:
        for receiver in self._receivers:
            if message.event in receiver.events:
                self._put_in_lane(receiver, message)

    def _put_in_lane(self, receiver: _Receiver, message: Message) -> None:
        lane = receiver.lanes[message.urgent]
        if receiver.gone or self._drained or lane.full():
            self._over(receiver, message, "dropped")
            return
        lane.put_nowait(message)
        if self._ledger is not None and not message.urgent:
            self._ledger.waits(receiver.name, message)

    def _end(self, receiver: _Receiver, message: Message, outcome: Outcome) -> None:
        if outcome == "dropped" and self._closing and self._ledger is not None and not message.urgent:
            self._count(message.event, "kept")
        else:
            self._over(receiver, message, outcome)

    def _over(self, receiver: _Receiver, message: Message, outcome: Outcome) -> None:
        if self._ledger is not None:
            self._ledger.over(receiver.name, message.id)
        self._count(message.event, outcome)

    # ---- deliveries ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to deliver."""
        if self._ledger is not None:
            await self._take_up(self._ledger)
        if not self._receivers:
            return
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        deliverer = Deliverer(self._http, self._wall, self._sleep)
        if self._ledger is not None:
            self._tasks.append(asyncio.create_task(self._ledger.run(), name="webhooks' ledger"))
        self._tasks += [
            asyncio.create_task(self._work(deliverer, receiver, lane), name="webhook")
            for receiver in self._receivers
            for lane in receiver.lanes.values()
            for _ in range(_AT_ONCE)
        ]
        for task in self._tasks:
            task.add_done_callback(report_fault)

    async def _take_up(self, ledger: Ledger) -> None:
        """Go on with what an earlier process left; forget what nobody wants any more."""
        receivers = {receiver.name: receiver for receiver in self._receivers}
        try:
            left = await ledger.load()
        except StoreError as exc:
            log.error("undelivered webhooks of an earlier process cannot be read", error=str(exc))
            return
        for name, message in left:
            receiver = receivers.get(name)
            if receiver is None or message.event not in receiver.events:
                ledger.over(name, message.id)
            else:
                self._put_in_lane(receiver, message)
        if not receivers:
            await ledger.write()

    async def _work(self, deliverer: Deliverer, receiver: _Receiver, lane: asyncio.Queue[Message]) -> None:
        while True:
            message = await lane.get()
            outcome: Outcome = "dropped"
            try:
                outcome = await self._deliver(deliverer, receiver, message)
            finally:
                self._end(receiver, message, outcome)
                lane.task_done()

    async def _deliver(self, deliverer: Deliverer, receiver: _Receiver, message: Message) -> Outcome:
        stale = message.urgent and self._wall() - message.created_at_s > URGENT_FOR_S
        if receiver.gone or stale:
            return "dropped"
        told = log.bind(webhook_event=message.event, message_id=message.id, receiver=receiver.address.host)
        try:
            await deliverer.deliver(receiver.address, message)
        except GoneError:
            receiver.gone = True
            told.error("a webhook's receiver is gone (410) and is told nothing more until the next start")
            return "failed"
        except DeliveryError as exc:
            told.error("a webhook could not be delivered", error=str(exc))
            return "failed"
        return "delivered"

    async def close(self, timeout_s: float) -> None:
        """Deliver what is there, for so long; what is left then is kept, or counted as dropped."""
        lanes = [lane for receiver in self._receivers for lane in receiver.lanes.values()]
        if self._tasks:
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.gather(*(lane.join() for lane in lanes))
            except TimeoutError:
                log.warning("webhooks are left undelivered", waiting=sum(lane.qsize() for lane in lanes))
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for receiver in self._receivers:
            for lane in receiver.lanes.values():
                while not lane.empty():
                    self._end(receiver, lane.get_nowait(), "dropped")
        self._drained = True
        if self._ledger is not None:
            await self._ledger.write()
        if self._http is not None:
            await self._http.close()


def _new_id() -> str:
    return "evt_" + token_hex(16)
