"""Calls that we place, on their way to a card and back.

First the edge is asked for a slot (`SlotGranted` names the card and the Call-ID), then the card for
the call. A leg exists from `DialStarted` on; what it says before somebody has attached to it waits.
Whoever asked may be cancelled at any point: then the slot goes back, or the leg is hung up.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.cards.link import CardLink
from gateway.core.ids import CardId, LegId
from gateway.errors import RemoteError
from gateway.legs.proxy import RemoteLeg
from gateway.observe.log import get_logger
from gateway.wire import card as wire
from gateway.wire import edge as edge_wire

SLOT_TIMEOUT_S: Final = 3.0
"""The edge waits a second for a card that is being started."""
START_TIMEOUT_S: Final = 5.0
"""A card that has not answered by then does not serve."""
_MAX_REQUEST: Final = 1 << 62

T = TypeVar("T")
log = get_logger()

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRequest:
    """A call to place."""

    target_uri: str
    """SIP URI to call, escaped."""
    from_uri: str
    """SIP URI that we call from, perhaps with a display name before it."""
    headers: Headers = ()
    """More headers of the INVITE."""
    username: str = ""
    """For a digest challenge; empty: a challenge ends the call."""
    password: str = field(default="", repr=False)


class DialFailedError(RemoteError):
    """No call was placed. `status` is the SIP status that says it best."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason, retryable=status == 503)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Placing:
    link: CardLink
    sip_call_id: str
    leg: "asyncio.Future[RemoteLeg]"


class Dials:
    """Calls that no card has started yet."""

    def __init__(self, link_to: Callable[[CardId], CardLink | None]) -> None:
        self._link_to = link_to
        self._tell_edge: Callable[[edge_wire.CoreToEdge], None] | None = None
        self._next_request = secrets.randbelow(_MAX_REQUEST)
        """An earlier core's requests must not be taken for ours."""
        self._wanted: dict[int, asyncio.Future[edge_wire.SlotGranted]] = {}
        self._placing: dict[int, _Placing] = {}
        self._unwanted: dict[int, tuple[CardId, str]] = {}
        """Requests that nobody waits for any more and the card has not answered; card and Call-ID."""

    @property
    def pending(self) -> int:
        """Calls under way."""
        return len(self._wanted) + len(self._placing)

    def connect(self, tell_edge: Callable[[edge_wire.CoreToEdge], None]) -> None:
        """There is an edge."""
        self._tell_edge = tell_edge

    async def place(self, order: DialRequest) -> RemoteLeg:
        """The leg of a call that has been started. Raises `DialFailedError`."""
        request, self._next_request = self._next_request, self._next_request + 1
        slot = await self._slot(request)
        link = self._link_to(slot.card)
        if link is None:
            self._tell(edge_wire.ReleaseSlot(request))
            raise DialFailedError(503, "the line card went away")
        placing = _Placing(link, slot.sip_call_id, asyncio.get_running_loop().create_future())
        self._placing[request] = placing
        link.send(
            wire.pack_control(
                wire.Dial(
                    request,
                    slot.sip_call_id,
                    order.target_uri,
                    order.from_uri,
                    order.headers,
                    order.username,
                    order.password,
                )
            )
        )
        try:
            return await _within(START_TIMEOUT_S, placing.leg, "the line card did not place the call in time")
        except BaseException:
            self._give_up(request, placing)
            self._tell(edge_wire.ReleaseSlot(request))
            raise
        finally:
            del self._placing[request]

    async def _slot(self, request: int) -> edge_wire.SlotGranted:
        waiting: asyncio.Future[edge_wire.SlotGranted] = asyncio.get_running_loop().create_future()
        self._wanted[request] = waiting
        try:
            self._tell(edge_wire.WantSlot(request))
            return await _within(SLOT_TIMEOUT_S, waiting, "the edge did not name a line card in time")
        except BaseException:
            self._tell(edge_wire.ReleaseSlot(request))
            raise
        finally:
            del self._wanted[request]

    def _tell(self, message: edge_wire.CoreToEdge) -> None:
        if self._tell_edge is None:
            raise DialFailedError(503, "no edge is connected")
        self._tell_edge(message)

    def _give_up(self, request: int, placing: _Placing) -> None:
        """Whoever asked has left, or the card has not answered in time."""
        future = placing.leg
        if not future.done() or future.cancelled():
            self._unwanted[request] = placing.link.card, placing.sip_call_id
        elif future.exception() is None:
            future.result().close(487, "nobody waits for the call")

    # ---- from the edge ------------------------------------------------------------------------

    def on_slot(self, message: edge_wire.SlotGranted | edge_wire.SlotRefused) -> None:
        """The edge has answered."""
        waiting = self._wanted.get(message.request)
        if waiting is None or waiting.done():
            return
        if isinstance(message, edge_wire.SlotGranted):
            waiting.set_result(message)
        else:
            waiting.set_exception(DialFailedError(503, message.reason))

    # ---- from the cards -----------------------------------------------------------------------

    def started(self, link: CardLink, message: wire.DialStarted) -> bool:
        """The card has sent INVITE; whether anybody wants the leg. If not, it is hung up."""
        placing = self._placing.get(message.request)
        if placing is not None and placing.link is link and not placing.leg.done():
            return True
        self._unwanted.pop(message.request, None)
        _hang_up(link, message.leg)
        return False

    def hand_over(self, message: wire.DialStarted, leg: RemoteLeg) -> None:
        """The leg exists; to be called when `started` was true."""
        self._placing[message.request].leg.set_result(leg)

    def failed(self, message: wire.DialFailed) -> None:
        """The card has sent nothing."""
        self._unwanted.pop(message.request, None)
        placing = self._placing.get(message.request)
        if placing is not None and not placing.leg.done():
            placing.leg.set_exception(DialFailedError(message.status, message.reason))

    def unwanted(self, link: CardLink, entry: wire.LegSnapshot) -> bool:
        """Whether a leg that shows itself after a lost connection is one to be hung up; it is then."""
        call = link.card, entry.incoming.sip_call_id
        if call not in self._unwanted.values():
            return False
        _hang_up(link, entry.incoming.leg)
        return True

    def disconnected(self, link: CardLink) -> None:
        """Nothing that was asked over this connection will be answered."""
        for request, placing in self._placing.items():
            if placing.link is link and not placing.leg.done():
                self._unwanted[request] = link.card, placing.sip_call_id
                placing.leg.set_exception(DialFailedError(503, "the line card went away"))

    def settled(self, card: CardId) -> None:
        """What a card holds is known, or its process is gone: nothing else will show itself."""
        self._unwanted = {request: call for request, call in self._unwanted.items() if call[0] != card}


async def _within(seconds: float, waiting: "asyncio.Future[T]", otherwise: str) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await waiting
    except TimeoutError as exc:
        log.error("a call could not be placed", reason=otherwise)
        raise DialFailedError(504, otherwise) from exc


def _hang_up(link: CardLink, leg: LegId) -> None:
    link.send(wire.pack_control(wire.Hangup(leg, 487, "nobody waits for the call")))
