"""The two ends of a relayed path, with real STUN integrity: a peer inside a card, and a client outside."""

import asyncio
import os
import socket
from types import TracebackType
from typing import Self

from aioice import stun

from gateway.edge.relay.framing import Deframer, frame
from gateway.wire.ufrag import encode

Address = tuple[str, int]
_LOOPBACK = "127.0.0.1"


def _request(username: str, password: str, *, nominated: bool) -> stun.Message:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    if nominated:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    message.add_fingerprint()
    return message


def _response(request: stun.Message, password: str, source: Address) -> stun.Message:
    right = "MESSAGE-INTEGRITY" in request.attributes and request.check_message_integrity(password.encode())
    message = stun.Message(
        stun.Method.BINDING, stun.Class.RESPONSE if right else stun.Class.ERROR, request.transaction_id
    )
    if right:
        message.attributes["XOR-MAPPED-ADDRESS"] = source
        message.add_message_integrity(password.encode())
    else:
        message.attributes["ERROR-CODE"] = (401, "Unauthenticated")
    message.add_fingerprint()
    return message


class CardPeer(asyncio.DatagramProtocol):
    """Answers checks as an ICE agent does, checks back, and keeps what else it gets."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.password = os.urandom(16).hex()
        self.media: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue(10_000)
        self.refused = 0
        self.relay: Address = ("", 0)
        """Where checks come from."""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(_LOOPBACK, 0))
        self.port = int(self._transport.get_extra_info("sockname")[1])
        self.ufrag = encode(self.port, self._secret)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if data[0] >= 4:
            self.media.put_nowait((data, addr))
            return
        message = stun.parse_message(data)
        if message.message_class is not stun.Class.REQUEST:
            return
        response = _response(message, self.password, addr)
        self._transport.sendto(bytes(response), addr)
        if response.message_class is stun.Class.ERROR:
            self.refused += 1
            return
        if self.relay != addr:
            self.relay = addr
            self.check()

    def check(self) -> None:
        """Ask the client for consent."""
        self._transport.sendto(bytes(_request("client:card", "c" * 22, nominated=False)), self.relay)

    def send(self, data: bytes) -> None:
        """Media to whoever the relay has routed."""
        self._transport.sendto(data, self.relay)

    async def heard(self) -> bytes:
        """The next media packet."""
        async with asyncio.timeout(5):
            return (await self.media.get())[0]


class Client:
    """A client's socket, UDP or TCP. `known`: the card's peer and its password, or a wrong one."""

    def __init__(self, relay: Address, peer: CardPeer, *, password: str = "", tcp: bool = False) -> None:
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.setblocking(False)
        self._tcp = tcp
        self._relay = relay
        self._peer = peer
        self._password = password or peer.password
        self._deframer = Deframer()
        self._waiting: list[bytes] = []
        self.answers_checks = True

    async def __aenter__(self) -> Self:
        if self._tcp:
            await asyncio.get_running_loop().sock_connect(self._socket, self._relay)
        else:
            self._socket.bind((_LOOPBACK, 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        """To the relay."""
        loop = asyncio.get_running_loop()
        if self._tcp:
            await loop.sock_sendall(self._socket, frame(data))
        else:
            await loop.sock_sendto(self._socket, data, self._relay)

    async def receive(self) -> bytes:
        """The next datagram."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            if not self._tcp:
                return await loop.sock_recv(self._socket, 4096)
            while not self._waiting:
                data = await loop.sock_recv(self._socket, 4096)
                if not data:
                    raise ConnectionResetError("the relay has closed the connection")
                self._waiting += self._deframer.feed(data)
            return self._waiting.pop(0)

    async def check(self, *, nominated: bool = False) -> bool:
        """One connectivity check, sent again while nothing comes; whether it was a success."""
        request = _request(f"{self._peer.ufrag}:client", self._password, nominated=nominated)
        for _ in range(10):
            await self.send(bytes(request))
            try:
                async with asyncio.timeout(0.5):
                    return await self._outcome(request.transaction_id)
            except TimeoutError:
                continue
        raise TimeoutError("no answer to a check")

    async def _outcome(self, transaction_id: bytes) -> bool:
        while True:
            message = await self._next_stun()
            if message.transaction_id == transaction_id:
                return message.message_class is stun.Class.RESPONSE

    async def media(self) -> bytes:
        """The next media packet; checks on the way are answered."""
        while True:
            data = await self.receive()
            if data[0] >= 4:
                return data
            await self._answer(stun.parse_message(data))

    async def _next_stun(self) -> stun.Message:
        while True:
            data = await self.receive()
            if data[0] < 4:
                message = stun.parse_message(data)
                await self._answer(message)
                return message

    async def _answer(self, message: stun.Message) -> None:
        if message.message_class is stun.Class.REQUEST and self.answers_checks:
            await self.send(bytes(_response(message, "c" * 22, self._relay)))
