"""The WebRTC line card: its legs, the core that commands them and the duties of a card.

Everything runs on one event loop. `run` owns all tasks: the tick, the duties by the second, the making
and the closing of peers.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.cards.webrtc.downlink import TIERS
from gateway.cards.webrtc.leg import LegContext, WebrtcLeg
from gateway.cards.webrtc.link import CoreLink
from gateway.cards.webrtc.peer import Peer
from gateway.cards.webrtc.sdp import Candidate, OfferError, check_offer
from gateway.cards.webrtc.tick import TickSchedule
from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.ids import CardId, LegId
from gateway.errors import LocalError
from gateway.observe.log import get_logger
from gateway.wire import card as wire
from gateway.wire.edge import STATUS_INTERVAL_S, CardStatus, pack_status
from gateway.wire.frames import WIRE_VERSION, FrameKind, PlayFlag, WireError, unpack_play

_LAST: Final = int(PlayFlag.LAST)  # arithmetic on flags of an enum takes microseconds
_LIVE: Final = int(PlayFlag.LIVE)
_SECOND_S: Final = 1.0
_GATHER_S: Final = 0.005
"""What a peer says waits no longer than this for company; with few peers there is little to be saved."""
_GATHER_PER_LEG_S: Final = 0.0002

CAPABILITIES: Final = wire.Capabilities(tiers=tuple(tier.name for tier in TIERS))

log = get_logger()


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What the card was started with."""

    card: CardId
    socket_path: Path
    status_path: Path
    sample_rate_hz: int
    max_peers: int
    orphan_timeout_s: float
    candidates: tuple[Candidate, ...]
    """What answers say; empty: the sockets of the peer itself."""


class WebrtcCard:
    """Owner of the legs."""

    def __init__(self, settings: CardSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._legs: dict[LegId, WebrtcLeg] = {}
        self._making = 0
        self._next_leg = 1
        self._attached = self._retiring = False
        self._orphan_since_s: float | None = None
        self._status = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._tasks: asyncio.TaskGroup | None = None
        self._busy = asyncio.Event()
        self._finished = asyncio.Event()
        self._ticks_jumped = 0
        self._link = CoreLink(self, self._hello)
        self._context = LegContext(
            PcmFormat(settings.sample_rate_hz),
            clock,
            self._emit,
            self._leg_closed,
            self._arrived,
            self._spawn,
        )
        self._news: dict[WebrtcLeg, None] = {}
        """Legs that have heard something since it was last passed on."""

    async def run(self) -> None:
        """Serve until retired and empty. Raises `OSError` if the socket cannot be opened."""
        await self._link.listen(self._settings.socket_path)
        log.info("webrtc card listens", max_peers=self._settings.max_peers)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                duties = [tasks.create_task(self._run_clock()), tasks.create_task(self._run_seconds())]
                duties.append(tasks.create_task(self._run_status()))
                await self._finished.wait()
                for duty in duties:
                    duty.cancel()
        finally:
            self._link.close()
            self._status.close()
            self._settings.socket_path.unlink(missing_ok=True)

    def retire(self) -> None:
        """Take no more peers and leave after the last one."""
        self._retiring = True
        self._finish_if_done()

    # ---- duties --------------------------------------------------------------------------------

    async def _run_clock(self) -> None:
        """The media clock; stands still while there is no leg."""
        while True:
            await self._busy.wait()
            schedule = TickSchedule(PTIME_MS / 1000, self._clock())
            while self._legs:
                # uvloop's timers have milliseconds and may fire half of one early.
                await asyncio.sleep(max(0.0005, schedule.deadline_s - self._clock()))
                for _ in range(schedule.due(self._clock())):
                    self._tick()
            self._ticks_jumped += schedule.jumped
            self._busy.clear()

    def _tick(self) -> None:
        now = self._clock()
        records = [leg.tick(now) for leg in list(self._legs.values())]
        if self._attached:
            self._link.queue_heard(b"".join(records))

    def _arrived(self, leg: WebrtcLeg) -> None:
        """Pass it on with what comes to other legs in the next moment: one write for all of them."""
        if not self._news:
            gather_s = min(_GATHER_S, len(self._legs) * _GATHER_PER_LEG_S)
            asyncio.get_running_loop().call_later(gather_s, self._pass_on)
        self._news[leg] = None

    def _pass_on(self) -> None:
        news, self._news = self._news, {}
        now = self._clock()
        records = [leg.heard(now) for leg in news]
        if self._attached:
            self._link.queue_heard(b"".join(records))

    async def _run_seconds(self) -> None:
        while True:
            await asyncio.sleep(_SECOND_S)
            for leg in list(self._legs.values()):
                await leg.each_second()
            self._end_orphans(self._clock())

    async def _run_status(self) -> None:
        while True:
            self._report_status()
            await asyncio.sleep(STATUS_INTERVAL_S)

    def _report_status(self) -> None:
        """Tell the edge who we are and which peers we hold."""
        settings = self._settings
        names = tuple(leg.incoming.sip_call_id for leg in self._legs.values())
        status = CardStatus(settings.card, os.getpid(), 0, names)
        try:
            self._status.sendto(pack_status(status), str(settings.status_path))
        except OSError as exc:
            # The edge may be busy or restarting; the next report repeats everything.
            log.debug("status not delivered", error=exc.strerror)

    def _end_orphans(self, now: float) -> None:
        since = self._orphan_since_s
        if since is None or now - since < self._settings.orphan_timeout_s:
            return
        self._orphan_since_s = None
        for leg in list(self._legs.values()):
            log.warning("leg ended, no core came back", leg=leg.leg_id)
            leg.end("card", 503, "no core came back")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._tasks is not None
        self._tasks.create_task(_guarded(work))

    def _leg_closed(self, leg: WebrtcLeg) -> None:
        del self._legs[leg.leg_id]
        self._report_status()
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self._retiring and not self._legs and not self._making:
            self._finished.set()

    # ---- offers --------------------------------------------------------------------------------

    def _offer(self, message: wire.Offer) -> None:
        full = len(self._legs) + self._making >= self._settings.max_peers
        if full or self._retiring:
            reason = "the card is full" if full else "the card is retiring"
            self._emit(wire.OfferRejected(message.request, 503, reason))
            return
        self._making += 1
        self._spawn(self._make(message))

    async def _make(self, message: wire.Offer) -> None:
        """A leg of an offer, or the reason why not."""
        try:
            await self._make_leg(message)
        except OfferError as exc:
            self._emit(wire.OfferRejected(message.request, exc.status, str(exc)))
        except BaseException:
            self._emit(wire.OfferRejected(message.request, 500, "the card failed"))
            raise
        finally:
            self._making -= 1
            self._finish_if_done()

    async def _make_leg(self, message: wire.Offer) -> None:
        settings = self._settings
        offer = check_offer(message.sdp)
        leg_id = LegId(self._next_leg)
        self._next_leg += 1
        leg = WebrtcLeg(_incoming(message, leg_id), offer, self._context)
        peer = Peer(leg, offer)
        try:
            answer = await peer.accept(settings.candidates, settings.sample_rate_hz)
        except BaseException:
            await peer.close()
            raise
        if not self._attached:
            await peer.close()
            return
        leg.bind(peer)
        self._legs[leg_id] = leg
        self._emit(wire.OfferAccepted(message.request, leg_id, answer))
        self._emit(leg.incoming)
        self._busy.set()
        self._report_status()

    # ---- from the core -------------------------------------------------------------------------

    def on_frame(self, kind: int, payload: bytes) -> None:
        """A frame from the core. Raises `WireError`."""
        if kind == FrameKind.PLAY and self._attached:
            self._play(payload)
        elif kind == FrameKind.CONTROL:
            self._command(wire.unpack_to_card(payload))
        else:
            raise WireError(f"unexpected frame of kind {kind}")

    def on_core_lost(self) -> None:
        """The core is gone; the peers stay for a while."""
        self._attached = False
        self._orphan_since_s = self._clock()

    def _play(self, payload: bytes) -> None:
        leg_id, mark, flags, pcm = unpack_play(payload)
        leg = self._legs.get(leg_id)
        if leg is None:
            return  # it has just ended; LegClosed is on its way
        try:
            leg.play(pcm, mark, last=flags & _LAST != 0, live=flags & _LIVE != 0)
        except ValueError as exc:
            raise WireError(f"PLAY: {exc}") from exc

    def _command(self, message: wire.ToCard) -> None:
        if isinstance(message, wire.Attach):
            self._attach(message)
        elif not self._attached:
            raise WireError("command before Attach")
        elif isinstance(message, wire.Retire):
            self.retire()
        elif isinstance(message, wire.Offer):
            self._offer(message)
        elif isinstance(message, wire.Dial):
            self._emit(wire.DialFailed(message.request, 501, "this card serves WebRTC only"))
        else:
            self._leg_command(message)

    def _leg_command(self, message: Any) -> None:
        name = type(message).__name__
        leg = self._legs.get(message.leg)
        if leg is None:
            self._emit(wire.Refused(message.leg, name, "no such leg"))
            return
        try:
            _carry_out(leg, message)
        except LocalError as exc:
            self._emit(wire.Refused(message.leg, name, str(exc)))

    def _attach(self, message: wire.Attach) -> None:
        if message.version != WIRE_VERSION:
            raise WireError(f"core speaks version {message.version}, this card {WIRE_VERSION}")
        self._attached, self._orphan_since_s = True, None
        legs = list(self._legs.values())
        self._emit(wire.Snapshot(tuple(leg.snapshot() for leg in legs)))
        for leg in legs:
            leg.report_state()

    def _emit(self, message: wire.FromCard) -> None:
        if self._attached:
            self._link.queue(wire.pack_control(message))

    def _hello(self) -> bytes:
        settings = self._settings
        hello = wire.Hello(
            WIRE_VERSION, settings.card, "webrtc", os.getpid(), settings.sample_rate_hz, CAPABILITIES
        )
        return wire.pack_control(hello)


def _incoming(message: wire.Offer, leg: LegId) -> wire.Incoming:
    return wire.Incoming(
        leg,
        f"webrtc-{secrets.token_hex(8)}",
        message.to,
        message.identity,
        message.to,
        message.headers,
        message.peer,
        message.received_at_s,
    )


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """One peer's failure must not end the others."""
    try:
        await work
    except Exception:  # aiortc raises whatever it likes
        log.exception("work for a peer failed")


def _carry_out(leg: WebrtcLeg, message: wire.ToCard) -> None:
    """One command for one leg. Raises `LocalError`."""
    match message:
        case wire.Ring():
            leg.ring()
        case wire.Answer():
            leg.answer()
        case wire.Reject(status=status, reason=reason):
            leg.reject(status, reason)
        case wire.Hangup(status=status, reason=reason, drain=drain):
            leg.hangup(status, reason, drain=drain)
        case wire.Flush(request=request):
            leg.flush(request)
        case wire.Pause():
            leg.pause()
        case wire.Resume():
            leg.resume()
        case wire.SendText(text=text):
            leg.send_text(text)
        case wire.SetTier(tier=tier):
            leg.set_tier(tier)
        case wire.Keep(state=state):
            leg.kept = state
        case _:
            raise LocalError("a WebRTC leg cannot do that")
