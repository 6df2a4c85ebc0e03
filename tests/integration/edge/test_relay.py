"""The relay as processes with real sockets: what passes, what does not, and what survives."""

import asyncio
import contextlib
import os
import signal
import socket
from contextlib import AsyncExitStack

import aioice
import pytest

from gateway.config.models import GatewayConfig
from gateway.config.webrtc import AddressPort, WebrtcConfig
from gateway.edge.children import Lifeline
from gateway.edge.relay.keeper import RelayKeeper
from gateway.edge.relay.ports import bind
from gateway.edge.relay.tcp import MAX_CONNECTIONS_PER_ADDRESS
from gateway.edge.rundir import CannotStartError
from gateway.wire.ufrag import encode
from tests.integration.edge.ice_peers import CardPeer, Client
from tests.integration.edge.relays import SECRET, counted, running_relay
from tests.integration.processes import free_sip_port

_RTP = b"\x80" + bytes(171)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
async def test_media_both_ways(tcp: bool) -> None:
    async with (
        running_relay() as relay,
        CardPeer(SECRET) as peer,
        Client(relay.address, peer, tcp=tcp) as client,
    ):
        assert await client.check(nominated=True)
        for number in range(50):
            await client.send(_RTP + bytes([number]))
            assert await peer.heard() == _RTP + bytes([number])
            peer.send(_RTP + bytes([number]))
            assert await client.media() == _RTP + bytes([number])


async def test_two_aioice_agents_connect_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack that WebRTC cards are built on, at both ends."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_which: ["127.0.0.1"])
    inside, outside = aioice.Connection(ice_controlling=False), aioice.Connection(ice_controlling=True)
    async with running_relay() as relay:
        try:
            await inside.gather_candidates()
            await outside.gather_candidates()
            (own,) = inside.local_candidates
            # aioice takes the name before it knows its port.
            inside._local_username = encode(own.port, SECRET)
            inside.remote_username, inside.remote_password = outside.local_username, outside.local_password
            outside.remote_username, outside.remote_password = inside.local_username, inside.local_password
            public = aioice.Candidate("1", 1, "udp", 1, *relay.address, "host")
            await outside.add_remote_candidate(public)
            await outside.add_remote_candidate(None)
            async with asyncio.timeout(20):
                await asyncio.gather(inside.connect(), outside.connect())
                await outside.send(_RTP)
                assert await inside.recv() == _RTP
                await inside.send(_RTP)
                assert await outside.recv() == _RTP
        finally:
            await asyncio.gather(inside.close(), outside.close())


async def test_an_attacker_who_knows_the_ufrag_gets_nothing_of_the_call() -> None:
    async with (
        running_relay() as relay,
        CardPeer(SECRET) as peer,
        Client(relay.address, peer) as client,
        Client(relay.address, peer, password="guessed") as attacker,
    ):
        assert await client.check(nominated=True)
        for _ in range(5):
            assert not await attacker.check(nominated=True)
            await attacker.send(b"\x80 not from the caller")
            await client.send(_RTP)
            assert await peer.heard() == _RTP
            peer.send(_RTP)
            assert await client.media() == _RTP
        assert peer.refused == 5
        await relay.counted("relay_dropped_unconfirmed_total", lambda count: count == 5)


async def test_who_does_not_speak_ice_reaches_nobody() -> None:
    async with running_relay() as relay, CardPeer(SECRET) as peer, Client(relay.address, peer) as client:
        peer.ufrag = encode(peer.port, bytes(32))  # forged
        await client.send(_RTP)
        await client.send(os.urandom(2500))
        with pytest.raises(TimeoutError):
            await client.check()
        await relay.counted("relay_dropped_refused_total", lambda count: count == 10)
        assert await relay.counted("relay_up_total", lambda count: count == 12) == 12
        assert relay.keeper.counters().get("relay_down_total", 0) == 0
        assert peer.media.empty()


async def test_a_new_client_address_takes_the_call_over_with_its_next_check() -> None:
    async with (
        running_relay() as relay,
        CardPeer(SECRET) as peer,
        Client(relay.address, peer) as before,
        Client(relay.address, peer) as after,
    ):
        assert await before.check(nominated=True)
        peer.send(_RTP)
        assert await before.media() == _RTP
        assert await after.check(nominated=True)
        await after.send(_RTP)
        assert await peer.heard() == _RTP
        peer.send(_RTP)
        assert await after.media() == _RTP


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_killed_worker_is_replaced_and_the_call_goes_on(workers: int) -> None:
    async with (
        running_relay(workers) as relay,
        CardPeer(SECRET) as peer,
        Client(relay.address, peer) as client,
    ):
        assert await client.check(nominated=True)
        inner = peer.relay
        for pid in relay.pids():
            os.kill(pid, signal.SIGKILL)
        assert await client.check()
        assert peer.relay == inner
        peer.send(_RTP)
        assert await client.media() == _RTP
        await client.send(_RTP)
        assert await peer.heard() == _RTP
        await relay.counted("relay_restarts_total", lambda count: count == workers)


async def test_another_port_of_the_same_address_meets_the_same_worker() -> None:
    """As after a NAT has rebound: the card sees no other address."""
    async with running_relay(workers=4) as relay, CardPeer(SECRET) as peer:
        seen = set()
        for _ in range(12):
            async with Client(relay.address, peer) as client:
                assert await client.check(nominated=True)
                seen.add(peer.relay)
        assert len(seen) == 1


@pytest.mark.parametrize("stream", [b"GET / HTTP/1.1\r\n\r\n", os.urandom(2) + b"\xff" * 4096])
async def test_tcp_that_is_not_ice_is_cut_off(stream: bytes) -> None:
    async with running_relay() as relay:
        reader, writer = await asyncio.open_connection(*relay.address)
        writer.write(b"\xff\xff" + stream)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await relay.counted("relay_tcp_broken_total", lambda count: count == 1)
        await relay.counted("relay_tcp_connections", lambda count: count == 0)


async def test_a_closed_connection_ends_its_flow() -> None:
    async with running_relay() as relay, CardPeer(SECRET) as peer:
        async with Client(relay.address, peer, tcp=True) as client:
            assert await client.check()
            await relay.counted("relay_flows", lambda count: count == 1)
        await relay.counted("relay_flows", lambda count: count == 0)


async def test_workers_leave_when_the_lifeline_is_cut() -> None:
    listen = AddressPort(address="127.0.0.1", port=free_sip_port())
    webrtc = WebrtcConfig(listen=listen)
    lifeline = Lifeline()
    keeper = RelayKeeper(GatewayConfig(webrtc=webrtc), webrtc, lifeline, SECRET)
    try:
        async with asyncio.TaskGroup() as group, CardPeer(SECRET) as peer:
            keeper.start(group)
            async with Client(("127.0.0.1", listen.port), peer) as client:
                assert await client.check()
            lifeline.cut()
            await counted(keeper, "relay_restarts_total", lambda count: count >= 1)
            await keeper.stop()
    finally:
        keeper.close()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
def test_a_port_in_use_is_named(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        listen = AddressPort(address="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(CannotStartError, match=f"webrtc.listen {listen}: address already in use"):
            bind(listen, 1)


def test_a_second_relay_does_not_share_the_port() -> None:
    listen = AddressPort(address="127.0.0.1", port=free_sip_port())
    (held,) = bind(listen, 1)
    try:
        with pytest.raises(CannotStartError, match="already in use"):
            bind(listen, 1)
    finally:
        held.close()


async def test_one_address_can_not_take_all_connections() -> None:
    async with running_relay() as relay, AsyncExitStack() as held:
        for _ in range(MAX_CONNECTIONS_PER_ADDRESS):
            _, writer = await asyncio.open_connection(*relay.address)
            held.callback(writer.close)
        reader, writer = await asyncio.open_connection(*relay.address)
        held.callback(writer.close)
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(10):
                assert await reader.read() == b""
        await relay.counted("relay_tcp_refused_total", lambda count: count == 1)
        await relay.counted("relay_tcp_connections", lambda count: count == MAX_CONNECTIONS_PER_ADDRESS)
