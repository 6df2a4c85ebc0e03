"""UDP and TCP sockets on loopback, with a receiver that writes down what comes."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.edge import tcp
from gateway.edge.commands import Flow
from gateway.edge.face import Listener
from gateway.edge.rundir import CannotStartError
from gateway.edge.transports import BoundSockets, Transports
from tests.integration.processes import free_sip_port

_MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 2\r\n\r\nhi"
_OVERSIZED = b"INVITE sip:a SIP/2.0\r\nContent-Length: 99999\r\n\r\n"


class _Receiver:
    def __init__(self) -> None:
        self.messages: asyncio.Queue[tuple[bytes, Flow]] = asyncio.Queue()
        self.heads: asyncio.Queue[tuple[bytes, Flow]] = asyncio.Queue()
        self.inside: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
        self.open: set[int] = set()
        self.closed: asyncio.Queue[int] = asyncio.Queue()

    def on_outside(self, data: bytes, flow: Flow) -> None:
        self.messages.put_nowait((data, flow))

    def on_oversized(self, head: bytes, flow: Flow) -> None:
        self.heads.put_nowait((head, flow))

    def on_inside(self, data: bytes, sip_port: int) -> None:
        self.inside.put_nowait((data, sip_port))

    def on_connected(self, connection: int) -> None:
        self.open.add(connection)

    def on_disconnected(self, connection: int) -> None:
        self.open.discard(connection)
        self.closed.put_nowait(connection)


class _Setting:
    def __init__(self) -> None:
        self.port = free_sip_port()
        self.receiver = _Receiver()
        self.counters: Counter[str] = Counter()
        self.transports = Transports(self.receiver, self.counters)
        self.sockets = BoundSockets(
            [Listener("udp", "127.0.0.1", self.port), Listener("tcp", "127.0.0.1", self.port)]
        )
        self.inner_port = self.sockets.inner_port


@asynccontextmanager
async def _setting() -> AsyncIterator[_Setting]:
    setting = _Setting()
    await setting.transports.open(setting.sockets)
    try:
        async with asyncio.timeout(20):
            yield setting
    finally:
        await setting.transports.close()


@asynccontextmanager
async def _peer(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def test_udp_in_both_directions() -> None:
    async with _setting() as setting:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind(("127.0.0.1", 0))
            phone.setblocking(False)
            phone.sendto(_MESSAGE, ("127.0.0.1", setting.port))
            data, flow = await setting.receiver.messages.get()
            assert (data, flow) == (_MESSAGE, Flow("udp", 0, 0, *phone.getsockname()))
            setting.transports.send(flow, b"answer")
            loop = asyncio.get_running_loop()
            assert await loop.sock_recvfrom(phone, 100) == (b"answer", ("127.0.0.1", setting.port))


async def test_the_inner_socket_in_both_directions() -> None:
    async with _setting() as setting:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as card:
            card.bind(("127.0.0.1", 0))
            card.setblocking(False)
            card.sendto(_MESSAGE, ("127.0.0.1", setting.inner_port))
            assert await setting.receiver.inside.get() == (_MESSAGE, card.getsockname()[1])
            setting.transports.send_to_card(card.getsockname()[1], b"request")
            assert await asyncio.get_running_loop().sock_recv(card, 100) == b"request"


async def test_tcp_in_both_directions_and_keep_alives() -> None:
    async with _setting() as setting, _peer(setting.port) as (reader, writer):
        writer.write(b"\r\n\r\n" + _MESSAGE[:20])
        assert await reader.readexactly(2) == b"\r\n"
        writer.write(_MESSAGE[20:] + _MESSAGE)
        _, flow = await setting.receiver.messages.get()
        assert await setting.receiver.messages.get() == (_MESSAGE, flow)
        assert flow.connection in setting.receiver.open
        setting.transports.send(flow, b"answer")
        assert await reader.readexactly(6) == b"answer"
        writer.close()
        assert await setting.receiver.closed.get() == flow.connection
        setting.transports.send(flow, b"too late")
        assert setting.counters["sip_dropped_unsendable_total"] == 1


async def test_an_oversized_message_is_told_of_and_the_connection_closed() -> None:
    async with _setting() as setting, _peer(setting.port) as (reader, writer):
        writer.write(_OVERSIZED)
        head, _ = await setting.receiver.heads.get()
        assert head == _OVERSIZED
        assert await reader.read() == b""


async def test_a_stream_without_sense_is_closed() -> None:
    async with _setting() as setting, _peer(setting.port) as (reader, writer):
        writer.write(b"A: b\r\nContent-Length: x\r\n\r\n")
        assert await reader.read() == b""
        assert setting.counters["sip_stream_broken_total"] == 1


async def test_connections_of_one_address_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS_PER_ADDRESS", 1)
    async with _setting() as setting, _peer(setting.port) as (_, first):
        first.write(_MESSAGE)
        await setting.receiver.messages.get()
        async with _peer(setting.port) as (refused, _):
            assert await _closed(refused)
        assert setting.counters["sip_tcp_refused_total"] == 1


async def test_idle_connections_are_swept_those_of_calls_stay() -> None:
    async with (
        _setting() as setting,
        _peer(setting.port) as (_, used),
        _peer(setting.port) as (_, idle),
    ):
        used.write(_MESSAGE)
        _, used_flow = await setting.receiver.messages.get()
        idle.write(_MESSAGE)
        _, idle_flow = await setting.receiver.messages.get()
        pool = setting.transports.tcp
        pool.sweep(time.monotonic(), set())
        assert len(pool) == 2
        pool.sweep(time.monotonic() + tcp.IDLE_S + 1, {used_flow.connection})
        assert await setting.receiver.closed.get() == idle_flow.connection
        assert setting.receiver.open == {used_flow.connection}


async def test_a_connection_that_says_nothing_whole_is_swept_soon() -> None:
    async with _setting() as setting, _peer(setting.port) as (_, writer):
        writer.write(_MESSAGE + _MESSAGE[:10])
        _, flow = await setting.receiver.messages.get()
        setting.transports.tcp.sweep(time.monotonic() + tcp.FIRST_MESSAGE_S + 1, {flow.connection})
        assert await setting.receiver.closed.get() == flow.connection


async def test_a_peer_without_a_connection_gets_one_for_all_messages() -> None:
    connections: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
    server = await asyncio.start_server(lambda reader, _: connections.put_nowait(reader), "127.0.0.1", 0)
    async with _setting() as setting, server:
        peer = Flow("tcp", 1, 0, *server.sockets[0].getsockname())
        setting.transports.send(peer, b"one")
        setting.transports.send(peer, b"two")
        reader = await connections.get()
        assert await reader.readexactly(6) == b"onetwo"
        setting.transports.send(peer, b"three")
        assert await reader.readexactly(5) == b"three"
        assert connections.empty()
        await setting.transports.tcp.close()


async def test_a_peer_that_can_not_be_reached_is_counted() -> None:
    async with _setting() as setting:
        nobody = Flow("tcp", 1, 0, "127.0.0.1", free_sip_port())
        setting.transports.send(nobody, b"hello?")
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
        assert setting.counters["sip_tcp_connect_failed_total"] == 1
        assert len(setting.transports.tcp) == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_port_in_use_is_named(transport: str) -> None:
    port = free_sip_port()
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", port))
        if transport == "tcp":
            other.listen()
        listener = Listener("udp" if transport == "udp" else "tcp", "127.0.0.1", port)
        with pytest.raises(
            CannotStartError, match=f"sip.listen {transport}://127.0.0.1:{port}: address already"
        ):
            BoundSockets([listener])


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(CannotStartError, match=r"udp://192\.0\.2\.1"):
        BoundSockets([Listener("udp", "192.0.2.1", 5060)])
