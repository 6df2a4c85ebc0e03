"""The SIP line card: four call slots, the core that commands them and the duties of a card.

One thread. PJSIP's callbacks and the core's frames both arrive inside `loop.run`.
"""

import os
import socket
import time
from collections.abc import Callable

from gateway.cards.sip.commands import UnfitError, carry_out, described, outgoing_call, tiers
from gateway.cards.sip.contract import BusyError, CallHandler, PjsipError, Refusal
from gateway.cards.sip.invite import InviteError, parse_invite
from gateway.cards.sip.leg import Leg, LegContext
from gateway.cards.sip.link import CoreLink
from gateway.cards.sip.pjsip import MAX_CALLS, Endpoint, PcmPort, SipCall
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId
from gateway.observe.log import get_logger
from gateway.wire import card as wire
from gateway.wire.edge import STATUS_INTERVAL_S, CardStatus, SpawnCard, pack_status
from gateway.wire.frames import WIRE_VERSION, FrameKind, PlayFlag, WireError, unpack_play

_NO_CORE = Refusal(503, "Service Unavailable", (("Retry-After", "5"),))
_LAST = int(PlayFlag.LAST)  # arithmetic on flags of an enum takes microseconds
_LIVE = int(PlayFlag.LIVE)
_SECOND_S = 1.0
_STATUS_AGAIN_S = 0.02
"""A report that could not be delivered is repeated so soon: the edge waits for free slots."""
_SETTLE_S = 0.3
"""The clock goes on this long after the last leg: PJSIP takes ports off the bridge on its ticks."""

_PENDING = 491
"""Request Pending: what a far end would say, too."""


class SipCard:
    """Owner of the legs."""

    def __init__(
        self, order: SpawnCard, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._order, self._endpoint, self._clock = order, endpoint, clock
        self._log = get_logger().bind(card=order.card)
        self._ports: list[PcmPort] = [endpoint.create_port() for _ in range(MAX_CALLS)]
        self._legs: dict[LegId, tuple[Leg, PcmPort]] = {}
        self._leaving: list[str] = []
        """Call-IDs of legs that have ended while PJSIP may still hold their slots."""
        self._next_leg = 1
        self._attached = self._retiring = False
        self._orphan_since_s: float | None = None
        self._status = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        now = clock()
        self._next_second_s, self._next_status_s, self._tick_until_s = now + _SECOND_S, now, now + _SETTLE_S
        self.link = CoreLink(order.socket_path, endpoint, self, self._hello)
        self._context = LegContext(
            PcmFormat(order.sample_rate_hz),
            order.rtp_timeout_s,
            clock,
            self._emit,
            self._closed,
            tiers(order.codecs),
        )

    # ---- for the loop --------------------------------------------------------------------------

    @property
    def ticking(self) -> bool:
        """Whether the media clock must run."""
        return bool(self._legs) or self._clock() < self._tick_until_s

    @property
    def steady(self) -> bool:
        """Whether there are calls and all of them are answered: only audio goes on."""
        return bool(self._legs) and all(leg.live for leg, _ in self._legs.values())

    @property
    def finished(self) -> bool:
        """Retired, and nothing is left to do."""
        return self._retiring and not self.ticking

    def next_duty_s(self) -> float:
        """When `serve` has to be called at the latest."""
        return min(self._next_second_s, self._next_status_s) if self._legs else self._next_status_s

    def after_tick(self) -> None:
        """Pass on what the legs heard in the tick that has just been."""
        now = self._clock()
        legs = [leg for leg, _ in self._legs.values()]
        for leg in legs:
            leg.after_tick(now)
        self.link.queue_heard([leg.heard_record() for leg in legs if leg.audible])

    def serve(self) -> None:
        """Duties by the second: quality, sign of life, orphans; and telling the edge of free slots."""
        now = self._clock()
        if now >= self._next_second_s:
            self._next_second_s = now + _SECOND_S
            for leg, _ in list(self._legs.values()):
                leg.each_second(now)
            self._end_orphans(now)
        if self._leaving and self._endpoint.calls_held <= len(self._legs):
            self._leaving.clear()
            self.report_status()
        elif now >= self._next_status_s:
            self.report_status()

    def report_status(self) -> None:
        """Tell the edge who we are and which calls we hold."""
        self._next_status_s = self._clock() + STATUS_INTERVAL_S
        calls = [*(leg.incoming.sip_call_id for leg, _ in self._legs.values()), *self._leaving]
        status = CardStatus(
            self._order.card, os.getpid(), self._endpoint.sip_port, tuple(calls), self._attached
        )
        try:
            self._status.sendto(pack_status(status), self._order.status_path)
        except OSError as exc:
            # The edge is busy: a unix socket holds ten datagrams (net.unix.max_dgram_qlen).
            self._next_status_s = self._clock() + _STATUS_AGAIN_S
            self._log.debug("status not delivered", error=exc.strerror)

    def retire(self) -> None:
        """Take no more calls and leave after the last one."""
        self._retiring = True

    # ---- from PJSIP ----------------------------------------------------------------------------

    def on_invite(self, call: SipCall, message: str, source: str) -> CallHandler | Refusal:
        """A new call: offer it to the core, or refuse it when there is none."""
        port = self._free_port()
        if not self._attached or self._retiring or port is None:
            return _NO_CORE
        try:
            invite = parse_invite(message)
        except InviteError:
            return Refusal(400)
        leg_id = self._new_id()
        incoming = wire.Incoming(
            leg_id,
            invite.sip_call_id,
            invite.request_uri,
            invite.from_header,
            invite.to_header,
            invite.headers,
            invite.peer or f"udp:{source}",
            invite.received_at_s if invite.received_at_s is not None else self._clock(),
        )
        call.port = port
        leg = Leg(incoming, call, port, self._context)
        self._legs[leg_id] = (leg, port)
        self._emit(incoming)
        self.report_status()
        return leg

    def _free_port(self) -> PcmPort | None:
        used = {id(port) for _, port in self._legs.values()}
        return next((port for port in self._ports if id(port) not in used), None)

    def _new_id(self) -> LegId:
        leg_id = LegId(self._next_leg)
        self._next_leg += 1
        return leg_id

    def _closed(self, leg: Leg) -> None:
        del self._legs[leg.leg_id]
        self._leaving.append(leg.incoming.sip_call_id)
        self._tick_until_s = self._clock() + _SETTLE_S

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
        """The core is gone; the calls stay for a while."""
        self._attached = False
        self._orphan_since_s = self._clock()
        self.report_status()

    def _play(self, payload: bytes) -> None:
        leg_id, mark, flags, pcm = unpack_play(payload)
        entry = self._legs.get(leg_id)
        if entry is None:
            return  # it has just ended; LegClosed is on its way
        leg, _ = entry
        try:
            leg.playout.play(pcm, mark, last=flags & _LAST != 0, live=flags & _LIVE != 0)
        except ValueError as exc:
            raise WireError(f"PLAY: {exc}") from exc
        leg.report_marks()

    def _command(self, message: wire.ToCard) -> None:
        if isinstance(message, wire.Attach):
            self._attach(message)
        elif not self._attached:
            raise WireError("command before Attach")
        elif isinstance(message, wire.Retire):
            self.retire()
        elif isinstance(message, wire.Offer):
            self._emit(wire.OfferRejected(message.request, 501, "this card serves SIP only"))
        elif isinstance(message, wire.Dial):
            self._dial(message)
        else:
            entry = self._legs.get(message.leg)
            name = type(message).__name__
            if entry is None or entry[0].state == "closed":
                self._emit(wire.Refused(message.leg, name, "no such leg"))
                return
            try:
                carry_out(entry[0], message)
            except PjsipError as exc:
                status = _PENDING if isinstance(exc, BusyError) else 0
                self._emit(wire.Refused(message.leg, name, str(exc), status))

    def _dial(self, message: wire.Dial) -> None:
        port = self._free_port()
        if self._retiring or port is None:
            reason = "the card is retiring" if self._retiring else "the card is full"
            self._emit(wire.DialFailed(message.request, 503, reason))
            return
        leg_id = self._new_id()

        def follow(call: SipCall) -> Leg:
            leg = Leg(described(message, leg_id, self._clock()), call, port, self._context, outbound=True)
            self._legs[leg_id] = (leg, port)
            return leg

        try:
            self._endpoint.place(outgoing_call(message), port, follow)
        except PjsipError as exc:
            if self._legs.pop(leg_id, None) is not None:
                port.hear = port.speak = None
            status = 400 if isinstance(exc, UnfitError) else 503 if isinstance(exc, BusyError) else 500
            self._emit(wire.DialFailed(message.request, status, str(exc)))
            return
        self._emit(wire.DialStarted(message.request, leg_id, message.sip_call_id))
        self.report_status()

    def _attach(self, message: wire.Attach) -> None:
        if message.version != WIRE_VERSION:
            raise WireError(f"core speaks version {message.version}, this card {WIRE_VERSION}")
        self._attached, self._orphan_since_s = True, None
        self.report_status()
        legs = [leg for leg, _ in self._legs.values() if leg.state != "closed"]
        self._emit(wire.Snapshot(tuple(leg.snapshot() for leg in legs)))
        for leg in legs:
            leg.report_media()

    def _emit(self, message: wire.FromCard) -> None:
        if self._attached:
            self.link.queue(wire.pack_control(message))

    def _hello(self) -> bytes:
        order = self._order
        able = wire.Capabilities(
            hold=True, transfer=True, dtmf=True, tiers=tiers(order.codecs), early_media=True
        )
        hello = wire.Hello(WIRE_VERSION, order.card, "sip", os.getpid(), order.sample_rate_hz, able)
        return wire.pack_control(hello)

    def _end_orphans(self, now: float) -> None:
        since = self._orphan_since_s
        if since is None or now - since < self._order.orphan_timeout_s:
            return
        self._orphan_since_s = None
        for leg, _ in list(self._legs.values()):
            self._log.warning("leg ended, no core came back", leg=leg.leg_id)
            try:
                leg.hangup(503, "Service Unavailable", drain=False, by="card")
            except PjsipError as exc:
                self._log.warning("hangup refused", leg=leg.leg_id, error=str(exc))
