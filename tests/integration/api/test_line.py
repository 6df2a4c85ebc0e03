"""The line of a person's page, a WebSocket: who gets one, and how it ends."""

import asyncio

import aiohttp
import pytest

from gateway.legs.people.ring import RingFailedError, RingInfo
from tests.integration.api.pages import connected, line, sign_in
from tests.integration.api.rig import Rig


@pytest.mark.parametrize(
    "first",
    [
        '{"type": "sign_in", "token": "ps_made-up"}',
        '{"type": "sign_in"}',
        '{"type": "ready"}',
        "rubbish",
        "[" * 2000,
    ],
)
async def test_a_line_without_a_good_token_is_closed(rig: Rig, first: str) -> None:
    async with connected(rig) as it:
        await it.socket.send_str(first)
        assert await it.closed() == 4401


async def test_a_line_of_another_origin_is_refused(rig: Rig) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with connected(rig, Origin="https://evil.example"):
            pass
    assert caught.value.status == 403


async def test_a_line_that_says_nothing_is_closed(rig: Rig) -> None:
    async with connected(rig) as it:
        assert await it.closed(within_s=8) == 4408


async def test_all_pages_are_let_go_when_the_gateway_stops(rig: Rig) -> None:
    async with line(rig, await sign_in(rig)) as it, connected(rig) as unsigned:
        async with asyncio.TaskGroup() as group:
            codes = [group.create_task(each.closed()) for each in (it, unsigned)]
            group.create_task(rig.server.close())
        assert [code.result() for code in codes] == [1001, 1001]
        assert rig.people.presence("olivia") == "offline"


async def test_rubbish_is_refused_and_a_flood_ends_the_line(rig: Rig) -> None:
    async with line(rig, await sign_in(rig)) as it:
        await it.socket.send_str("rubbish")
        await it.told("refused")
        await it.socket.send_bytes(b"x")
        await it.told("refused")
        for _ in range(60):
            await it.say(type="ready")
        assert await it.closed() == 4429


async def test_a_page_that_vanishes_is_missed_within_ten_seconds(rig: Rig) -> None:
    token = await sign_in(rig)
    async with line(rig, token):
        ring = rig.people.ring("olivia", RingInfo(from_party="a", to="b", timeout_s=60))
        # From here on the page reads nothing, as if its machine had been cut off: no pongs.
        with pytest.raises(RingFailedError) as caught:
            async with asyncio.timeout(10):
                await ring.answered()
    assert caught.value.reason == "gone"


async def test_a_page_that_never_confirms_its_end_is_dropped(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    writer.write(
        b"GET /v1/people/line HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(b"\x81\x81\0\0\0\0x")
    try:
        assert (await reader.readexactly(1)) == b"\x88"
        async with asyncio.timeout(5):
            await reader.read()
    finally:
        writer.close()
