"""The forwarder on real sockets."""

import asyncio

import pytest

from gateway.impair.impairment import Impairment
from gateway.impair.model import Line
from gateway.impair.port import PortError
from gateway.impair.udp import Impairer
from tests.integration.impair.peers import Client, Echo

LOCAL = ("127.0.0.1", 0)


async def test_an_unimpaired_path_brings_everything_both_ways() -> None:
    async with Echo() as echo, Client() as client, Impairer(LOCAL, echo.address) as impairer:
        sent = [b"%d" % n for n in range(200)] + [b"", bytes(1472)]
        for packet in sent:
            client.send(packet, impairer.address)
        await client.until(len(sent))
        assert client.packets == sent
        assert {source for _, source in echo.seen} != {client.address}
        assert impairer.counters("up").packets == impairer.counters("down").packets == len(sent)
        assert impairer.undelivered == 0


async def test_the_packets_that_the_model_loses_are_the_ones_that_are_missing() -> None:
    setting = Impairment(loss=0.2, burst_packets=2)
    line = Line(setting, "7/1/up")
    expected = [n for n in range(300) if line.releases(1, 0.0)]
    assert 200 < len(expected) < 280
    async with (
        Echo() as echo,
        Client() as client,
        Impairer(LOCAL, echo.address, up=setting, seed=7) as impairer,
    ):
        for n in range(300):
            client.send(b"%d" % n, impairer.address)
        await client.until(len(expected))
        assert [int(packet) for packet in client.packets] == expected


async def test_the_network_can_change_while_packets_flow() -> None:
    async with Echo() as echo, Client() as client, Impairer(LOCAL, echo.address) as impairer:
        client.send(b"a", impairer.address)
        await client.until(1)
        impairer.change(down=Impairment(duplicate=1.0))
        client.send(b"b", impairer.address)
        await client.until(3)
        impairer.change(up=Impairment(duplicate=1.0), down=Impairment())
        client.send(b"c", impairer.address)
        await client.until(5)
        assert client.packets == [b"a", b"b", b"b", b"c", b"c"]
        assert impairer.impairment("down") == Impairment()


async def test_delay_is_added_in_each_direction() -> None:
    setting = Impairment(delay_ms=60)
    async with (
        Echo() as echo,
        Client() as client,
        Impairer(LOCAL, echo.address, up=setting, down=setting) as impairer,
    ):
        begin = asyncio.get_running_loop().time()
        client.send(b"a", impairer.address)
        await client.until(1)
        assert client.heard[0][0] - begin >= 0.12


async def test_duplicates_arrive_twice_and_only_that_way() -> None:
    async with (
        Echo() as echo,
        Client() as client,
        Impairer(LOCAL, echo.address, down=Impairment(duplicate=1.0)) as impairer,
    ):
        client.send(b"a", impairer.address)
        await client.until(2)
        assert (client.packets, len(echo.seen)) == ([b"a", b"a"], 1)


async def test_clients_have_paths_of_their_own() -> None:
    async with (
        Echo() as echo,
        Client() as one,
        Client() as other,
        Impairer(LOCAL, echo.address, up=Impairment(rate_bps=1000, queue_ms=50)) as impairer,
    ):
        for _ in range(50):
            one.send(bytes(100), impairer.address)
        other.send(b"mine", impairer.address)
        await other.until(1)
        assert other.packets == [b"mine"]
        assert impairer.paths == 2
        # A packet takes a second, and the next one would wait longer than 50 ms.
        assert (impairer.counters("up").queue_full, len(one.packets)) == (49, 0)


async def test_strangers_cannot_send_to_a_client() -> None:
    async with (
        Echo() as echo,
        Client() as client,
        Client() as stranger,
        Impairer(LOCAL, echo.address) as impairer,
    ):
        client.send(b"first", impairer.address)
        await client.until(1)
        inner = echo.seen[0][1]
        stranger.send(b"spoof", inner)
        client.send(b"second", impairer.address)
        await client.until(2)
        assert client.packets == [b"first", b"second"]


async def test_a_port_in_use_is_an_error_that_names_it() -> None:
    async with Echo() as echo:
        with pytest.raises(PortError, match=rf"127\.0\.0\.1:{echo.address[1]}: address already in use"):
            async with Impairer(echo.address, ("127.0.0.1", 9)):
                pass
