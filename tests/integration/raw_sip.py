"""A bare UDP socket that says whatever a test wants, well-formed or not."""

import asyncio
import secrets
from typing import Self


class RawSip(asyncio.DatagramProtocol):
    """`async with RawSip(port) as far_end: far_end.send(b"..."); await far_end.receive()`."""

    def __init__(self, gateway_port: int) -> None:
        self._target = ("127.0.0.1", gateway_port)
        self._received: asyncio.Queue[bytes] = asyncio.Queue(1000)
        self.port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0), remote_addr=self._target
        )
        self.port = int(self._transport.get_extra_info("sockname")[1])
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep what arrives."""
        self._received.put_nowait(data)

    def send(self, message: bytes) -> None:
        """One datagram."""
        self._transport.sendto(message)

    async def receive(self, within_s: float = 5.0) -> bytes:
        """The next datagram. Raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            return await self._received.get()

    async def final(self, message: bytes) -> bytes:
        """Send a request and return its final response."""
        self.send(message)
        while True:
            response = await self.receive()
            if int(response.split(b" ", 2)[1]) >= 200:
                return response

    async def final_status(self, message: bytes) -> int:
        """Send a request and return the status of its final response."""
        return int((await self.final(message)).split(b" ", 2)[1])

    def request(self, method: str, *, headers: str = "", call_id: str = "", body: str = "") -> bytes:
        """A proper request outside a dialog, to vary."""
        unique = secrets.token_hex(6)
        return (
            f"{method} sip:demo@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{unique};rport\r\n"
            f"From: <sip:raw@127.0.0.1:{self.port}>;tag={unique}\r\n"
            "To: <sip:demo@127.0.0.1>\r\n"
            f"Call-ID: {call_id or unique}\r\n"
            f"CSeq: 1 {method}\r\n"
            f"Contact: <sip:raw@127.0.0.1:{self.port}>\r\n"
            "Max-Forwards: 70\r\n"
            f"{headers}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
