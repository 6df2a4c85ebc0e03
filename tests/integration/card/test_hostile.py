"""Nothing a far end sends may end the process."""

import asyncio
import random
import socket

import pytest

from gateway.wire import card as wire
from tests.integration.card.cards import Rack
from tests.integration.card.core import auto_answer
from tests.integration.card.sipp import invite, pause, receive, run_sipp, sdp, send

OFFER = (
    "v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
ODD_LINES = (
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xx",
    "m=video 4 RTP/AVP 96",
    "m=audio 70000 RTP/SAVP 0",
    "m=audio",
    "a=rtpmap:0 PCMU/0",
    "a=ptime:0",
    "a=ptime:-5",
    "c=IN IP4 999.1.1.1",
    "a=fmtp:101 999-99999",
    "Replaces: c;to-tag=x;from-tag=y",
    "Session-Expires: 1",
    "Require: 100rel, timer",
    "Refer-To: <",
    "Contact: *",
)


class Attacker:
    """Sends what it likes to a card's SIP port, and knows the tags of what was answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(("127.0.0.1", 0))
        self._pings = 0
        self.tags: dict[str, str] = {}
        """`;tag=...` of the card by Call-ID."""
        self.statuses: dict[str, str] = {}
        """Last status by Call-ID."""

    def request(
        self, method: str, call: str, *, branch: str, cseq: int = 1, to_tag: str = "", body: str = ""
    ) -> bytes:
        """A request as it should be."""
        own = f"127.0.0.1:{self._socket.getsockname()[1]}"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} sip:gw@127.0.0.1:{self._port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{branch}\r\n"
            f"From: <sip:a@{own}>;tag=x\r\nTo: <sip:gw@127.0.0.1>{to_tag}\r\n"
            f"Call-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@{own}>\r\nMax-Forwards: 70\r\n"
            f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def send(self, packet: bytes) -> None:
        """One datagram."""
        self._socket.sendto(packet, ("127.0.0.1", self._port))

    async def settle(self) -> None:
        """Wait until the card has read everything: it answers an OPTIONS that comes last."""
        self._pings += 1
        ping = f"ping{self._pings}"
        self.send(self.request("OPTIONS", ping, branch=ping))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while True:
                headers = (await loop.sock_recv(self._socket, 65536)).decode("latin-1").split("\r\n")
                fields = {name.lower(): value for name, _, value in (h.partition(": ") for h in headers)}
                if headers[0].startswith("BYE "):
                    self._confirm(headers)
                elif fields.get("call-id") == ping:
                    return
                elif headers[0].startswith("SIP/2.0 "):
                    self.statuses[fields.get("call-id", "")] = headers[0].split()[1]
                _, semicolon, tag = fields.get("to", "").partition(";tag=")
                if semicolon:
                    self.tags[fields.get("call-id", "")] = f";tag={tag}"

    def _confirm(self, request: list[str]) -> None:
        wanted = ("via:", "from:", "to:", "call-id:", "cseq:")
        kept = [line for line in request if line.lower().startswith(wanted)]
        self.send("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode())

    def close(self) -> None:
        """Go away."""
        self._socket.close()


def spoilt(packet: bytes, chance: random.Random) -> bytes:
    """The packet with a few random faults."""
    lines = packet.split(b"\r\n")
    for _ in range(chance.randrange(1, 5)):
        i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                lines[i] = lines[i][: chance.randrange(len(lines[i]) + 1)]
            case 1:
                lines.insert(i, chance.choice(ODD_LINES).encode())
            case 2:
                lines[i] = lines[i].replace(b"0", chance.choice((b"99999999999", b"-1", b"65536")), 1)
            case 3:
                lines[i], lines[j] = lines[j], lines[i]
            case 4:
                lines[i] += chance.choice((b" " * 200, b"a" * 300, b";x=y", b"\0", b'"', b"<"))
            case _:
                lines.insert(i, lines[j])
    return b"\r\n".join(lines)


async def works(card_port: int) -> None:
    call = [invite(sdp()), receive(200), send("ACK"), pause(60), send("BYE", 2), receive(200)]
    outcome = await run_sipp(card_port, call)
    assert outcome.status == 0, outcome.output


async def test_an_ack_without_tag_after_a_refused_invite(cards: Rack) -> None:
    card = await cards.card()
    attacker = Attacker(card.sip_port)
    attacker.send(attacker.request("INVITE", "one", branch="1", body=OFFER))
    await attacker.settle()
    attacker.send(attacker.request("ACK", "one", branch="2"))
    await attacker.settle()
    core = await card.core()
    auto_answer(core)
    await works(card.sip_port)
    attacker.close()


async def test_a_late_offer_that_is_refused_at_once(cards: Rack) -> None:
    card = await cards.card()
    attacker = Attacker(card.sip_port)
    attacker.send(attacker.request("INVITE", "one", branch="1"))
    await attacker.settle()
    core = await card.core()
    auto_answer(core)
    await works(card.sip_port)
    attacker.close()


@pytest.mark.parametrize(
    "offer",
    [
        OFFER.replace("c=IN IP4 127.0.0.1", "c=IN IP4 " + "a" * 300),
        OFFER.replace("c=IN IP4 127.0.0.1\r\n", "") + "c=IN IP4 127.0.0.1\r\nm=video 0 RTP/AVP 96\r\n",
    ],
)
async def test_sdp_that_would_end_the_process(cards: Rack, offer: str) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    attacker = Attacker(card.sip_port)
    attacker.send(attacker.request("INVITE", "one", branch="1", body=offer))
    await attacker.settle()
    await works(card.sip_port)
    assert len(core.of(wire.Incoming)) == 1
    attacker.close()


@pytest.mark.parametrize("body", ["Signal=", "Signal=5", "Signal=5\n", "Signal", "Signal=5\r\nDuration"])
async def test_a_digit_by_info_in_an_unfinished_line(cards: Rack, body: str) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    attacker = Attacker(card.sip_port)
    attacker.send(attacker.request("INVITE", "one", branch="1", body=OFFER))
    await core.expect(wire.Answered)
    await attacker.settle()
    tag = attacker.tags["one"]
    attacker.send(attacker.request("ACK", "one", branch="2", to_tag=tag))
    info = attacker.request("INFO", "one", branch="3", cseq=2, to_tag=tag, body=body)
    attacker.send(info.replace(b"application/sdp", b"application/dtmf-relay"))
    attacker.send(attacker.request("BYE", "one", branch="4", cseq=3, to_tag=tag))
    await core.expect(wire.LegClosed)
    assert [d.digit for d in core.of(wire.Dtmf)] == (["5"] if body in ("Signal=5", "Signal=5\n") else [])
    attacker.close()
    assert card.alive()


@pytest.mark.parametrize("seed", range(3))
async def test_spoilt_requests(cards: Rack, seed: int) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    chance = random.Random(seed)
    attacker = Attacker(card.sip_port)
    methods = ("ACK", "CANCEL", "BYE", "UPDATE", "INFO", "REFER", "PRACK", "SUBSCRIBE", "INVITE")

    async def all_is_said() -> None:
        await attacker.settle()
        await core.round_trip()
        await core.round_trip()
        await attacker.settle()

    for n in range(120):
        call = f"{seed}-{n}"
        offer = attacker.request("INVITE", call, branch=f"i{call}", body=OFFER)
        packet = spoilt(offer, chance) if n % 2 else offer
        attacker.send(packet)
        await all_is_said()
        async with asyncio.timeout(10):
            while attacker.statuses.get(call) == "503":  # calls begin too fast
                attacker.send(packet)
                await all_is_said()
        tag = attacker.tags.get(call, "")
        attacker.send(attacker.request("ACK", call, branch=f"a{call}", to_tag=tag or ";tag=none"))
        for cseq in range(2, 6):
            branch = chance.choice((f"i{call}", f"j{call}{cseq}"))
            body = chance.choice(("", OFFER))
            request = attacker.request(
                chance.choice(methods), call, branch=branch, cseq=cseq, to_tag=tag, body=body
            )
            attacker.send(spoilt(request, chance))
        attacker.send(attacker.request("BYE", call, branch=f"b{call}", cseq=9, to_tag=tag))
        await all_is_said()
    assert len(core.of(wire.Answered)) >= 20
    attacker.close()
    assert card.alive()


async def test_calls_that_begin_faster_than_sockets_come_free_are_refused(cards: Rack) -> None:
    """PJSIP aborts when its list of sockets is full."""
    card = await cards.card()
    attacker = Attacker(card.sip_port)
    try:
        for number in range(120):
            call = f"fast{number}"
            attacker.send(attacker.request("INVITE", call, branch=call, body=OFFER))
            await attacker.settle()
            assert card.alive(), number
            if tag := attacker.tags.get(call):
                attacker.send(attacker.request("ACK", call, branch=call, to_tag=tag))
    finally:
        attacker.close()
    assert "503" in attacker.statuses.values()
    core = await card.core()
    auto_answer(core)
    await works(card.sip_port)
