"""A line card without a network: the real wire on a real unix socket, loopback legs behind it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from gateway.core.ids import CallId, CardId, LegId
from gateway.legs.contract import LegEvent
from gateway.legs.loopback import CAPABILITIES, LoopbackLeg
from gateway.wire import card as wire
from gateway.wire.frames import (
    WIRE_VERSION,
    FrameDecoder,
    FrameKind,
    PlayFlag,
    pack_frame,
    pack_heard_record,
    unpack_play,
)

CARD = CardId(7)

ANSWER_SDP = "v=0\r\na=setup:passive\r\n"
"""What a WebRTC stand-in answers every offer with."""


class _ToCore:
    """Owner of a loopback leg: passes on everything, as a card does."""

    def __init__(self, card: "StandInCard", leg: LegId) -> None:
        self._card, self._leg = card, leg

    def on_audio(self, pcm: bytes, flags: int) -> None:
        self._card.send(pack_frame(FrameKind.HEARD, pack_heard_record(self._leg, flags, pcm)))

    def on_leg_event(self, event: LegEvent) -> None:
        self._card.report(event)
        if isinstance(event, wire.LegClosed):
            del self._card.legs[self._leg]


class StandInCard:
    """`async with StandInCard(path) as card:`; serves one core at a time."""

    def __init__(
        self,
        path: Path,
        *,
        version: int = WIRE_VERSION,
        kind: Literal["sip", "webrtc"] = "sip",
        card: CardId = CARD,
    ) -> None:
        self.path = path
        self.kind = kind
        self.offers: list[wire.Offer] = []
        """SDP offers that came, a WebRTC card's."""
        self.dials: list[wire.Dial] = []
        """Calls that the core wanted placed."""
        self.refusal: tuple[int, str] | None = None
        """Status and reason for every offer and every dial, instead of a leg."""
        self.silent = False
        """Whether offers and dials stay unanswered."""
        self.legs: dict[LegId, LoopbackLeg] = {}
        self.connections = 0
        """Cores that have connected so far."""
        self._card, self._version = card, version
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._next_leg = 1

    async def __aenter__(self) -> "StandInCard":
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.disconnect()
        await self._server.wait_closed()
        self.path.unlink(missing_ok=True)

    @property
    def attached(self) -> bool:
        """Whether a core is connected."""
        return self._writer is not None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that came from the core made the condition true."""
        async with self._news, asyncio.timeout(10):
            await self._news.wait_for(condition)

    async def disconnect(self) -> None:
        """Drop the core's connection; the legs live on."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if self._serving is not None:
            await asyncio.wait({self._serving})

    def offer(self, *, sample_rate_hz: int = 8000) -> LoopbackLeg:
        """A call comes in."""
        leg = self._new_leg(sample_rate_hz)
        self.report(self._incoming(leg.address[1]))
        return leg

    def _new_leg(self, sample_rate_hz: int, *, outbound: bool = False) -> LoopbackLeg:
        serial = LegId(self._next_leg)
        self._next_leg += 1
        clock = asyncio.get_running_loop().time
        address = (self._card, serial)
        leg = LoopbackLeg(clock, sample_rate_hz=sample_rate_hz, address=address, outbound=outbound)
        leg.attach(CallId("on the card"), _ToCore(self, serial))
        self.legs[serial] = leg
        return leg

    def accept(self, offer: wire.Offer) -> LoopbackLeg:
        """Make a leg of a WebRTC peer's offer."""
        leg = self._new_leg(8000)
        serial = leg.address[1]
        self.report(wire.OfferAccepted(offer.request, serial, ANSWER_SDP))
        self.report(
            wire.Incoming(
                serial, "", offer.to, offer.identity, "", offer.headers, offer.peer, offer.received_at_s
            )
        )
        return leg

    def _on_offer(self, offer: wire.Offer) -> None:
        self.offers.append(offer)
        if self.refusal is not None:
            self.report(wire.OfferRejected(offer.request, *self.refusal))
        elif not self.silent:
            self.accept(offer)

    def place(self, dial: wire.Dial) -> LoopbackLeg:
        """Place the call that the core wants; the leg's peer rings and answers."""
        leg = self._new_leg(8000, outbound=True)
        self.report(wire.DialStarted(dial.request, leg.address[1], dial.sip_call_id))
        return leg

    def _on_dial(self, dial: wire.Dial) -> None:
        self.dials.append(dial)
        if self.refusal is not None:
            self.report(wire.DialFailed(dial.request, *self.refusal))
        elif not self.silent:
            self.place(dial)

    def _incoming(self, serial: LegId) -> wire.Incoming:
        headers = (("User-Agent", "phone"),)
        return wire.Incoming(
            serial, f"{serial}@phone", "sip:200@gw", "<sip:100@p>", "<sip:200@gw>", headers, "udp:p", 1.0
        )

    def report(self, message: wire.FromCard) -> None:
        """A control message to the core."""
        self.send(wire.pack_control(message))

    def send(self, frame: bytes) -> None:
        """Any bytes to the core, if there is one."""
        if self._writer is not None:
            self._writer.write(frame)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self._serving = writer, asyncio.current_task()
        self.connections += 1
        decoder = FrameDecoder()
        self.report(wire.Hello(self._version, self._card, self.kind, 1, 8000, CAPABILITIES))
        try:
            while data := await reader.read(1 << 16):
                for kind, payload in decoder.feed(data):
                    self._frame(kind, payload)
                async with self._news:
                    self._news.notify_all()
        except ConnectionError:
            pass
        finally:
            if self._writer is writer:
                self._writer = None
            writer.close()
            async with self._news:
                self._news.notify_all()

    def _frame(self, kind: int, payload: bytes) -> None:
        if kind == FrameKind.PLAY:
            serial, mark, flags, pcm = unpack_play(payload)
            if serial in self.legs:
                self.legs[serial].play(
                    pcm, mark, last=bool(flags & PlayFlag.LAST), live=bool(flags & PlayFlag.LIVE)
                )
            return
        message = wire.unpack_to_card(payload)
        if isinstance(message, wire.Attach):
            known = tuple(
                wire.LegSnapshot(self._incoming(serial), leg.state, leg.kept, leg.outbound)
                for serial, leg in self.legs.items()
            )
            self.report(wire.Snapshot(known))
        elif isinstance(message, wire.Offer):
            self._on_offer(message)
        elif isinstance(message, wire.Dial):
            self._on_dial(message)
        elif not isinstance(message, wire.Retire) and message.leg in self.legs:
            self._command(self.legs[message.leg], message)

    def _command(self, leg: LoopbackLeg, message: wire.ToCard) -> None:
        match message:
            case wire.Ring():
                leg.ring()
            case wire.Answer():
                leg.answer()
            case wire.Reject():
                leg.reject(message.status, message.reason, message.headers)
            case wire.Hangup():
                leg.close(message.status, message.reason, drain=message.drain)
            case wire.Flush():
                self._flush(leg, message.request)
            case wire.Pause():
                leg.pause()
            case wire.Resume():
                leg.resume()
            case wire.SendText():
                leg.send_text(message.text)
            case wire.SendDtmf():
                leg.send_dtmf(message.digits)
            case wire.Hold():
                leg.hold(message.held)
            case wire.Transfer():
                leg.transfer(message.target_uri, message.headers)
            case wire.Keep():
                leg.keep(message.state)

    def _flush(self, leg: LoopbackLeg, request: int) -> None:
        loop = asyncio.get_running_loop()
        found = leg.playout.flush()
        leg.report_marks()
        flushed = wire.Flushed(
            leg.address[1], request, found.mark, found.played_ms, found.dropped_ms, loop.time()
        )
        # In turn with the events of the leg.
        loop.call_soon(self.report, flushed)
