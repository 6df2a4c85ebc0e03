"""Somebody who is called and says whatever a test wants, well-formed or not: a bare UDP socket."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Message:
    """A request of the card."""

    method: str
    headers: tuple[tuple[str, str], ...]
    port: int
    """Of the callee."""

    def get(self, name: str) -> str:
        """A header's value."""
        return next(value for key, value in self.headers if key.lower() == name.lower())

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def _to(self) -> str:
        to = self.get("To")
        return to if ";tag=" in to else f"{to};tag=raw"

    def response(self, status: int, reason: str, *, body: str = "") -> bytes:
        """An answer to it."""
        lines = [f"SIP/2.0 {status} {reason}", *(f"Via: {via}" for via in self.all("Via"))]
        lines += [f"Record-Route: {route}" for route in self.all("Record-Route")]
        lines += [f"From: {self.get('From')}", f"To: {self._to}", f"Call-ID: {self.get('Call-ID')}"]
        lines += [f"CSeq: {self.get('CSeq')}", f"Contact: <sip:raw@127.0.0.1:{self.port}>"]
        if body:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    def request(self, method: str, cseq: int, *, headers: tuple[str, ...] = (), body: bytes = b"") -> bytes:
        """A request of the callee in the dialog that this INVITE began."""
        contact = self.get("Contact").partition("<")[2].partition(">")[0]
        lines = [
            f"{method} {contact} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bK{secrets.token_hex(6)}",
            *(f"Route: {route}" for route in self.all("Record-Route")),
        ]
        lines += [f"From: {self._to}", f"To: {self.get('From')}", f"Call-ID: {self.get('Call-ID')}"]
        lines += [f"CSeq: {cseq} {method}", f"Contact: <sip:raw@127.0.0.1:{self.port}>", "Max-Forwards: 70"]
        return "\r\n".join([*lines, *headers, "", ""]).encode() + body


class RawCallee(asyncio.DatagramProtocol):
    """`async with RawCallee() as callee: invite = await callee.received("INVITE")`."""

    def __init__(self) -> None:
        self._requests: asyncio.Queue[Message] = asyncio.Queue(1000)
        self._peer: tuple[str, int] | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = int(self._transport.get_extra_info("sockname")[1])
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._transport.close()

    @property
    def uri(self) -> str:
        """Whom to call."""
        return f"sip:raw@127.0.0.1:{self.port}"

    @property
    def sdp(self) -> str:
        """An answer."""
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep requests; the last sender is answered."""
        self._peer = addr
        first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        if first.startswith("SIP/2.0"):
            return
        pairs = [line.partition(":") for line in lines]
        headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
        self._requests.put_nowait(Message(first.split()[0], headers, self.port))

    def send(self, message: bytes) -> None:
        """One datagram to whoever has sent the last one."""
        assert self._peer is not None
        self._transport.sendto(message, self._peer)

    async def received(self, method: str, within_s: float = 10.0) -> Message:
        """The next request of a kind; others are passed over."""
        async with asyncio.timeout(within_s):
            while (message := await self._requests.get()).method != method:
                continue
        return message
