"""Bodies that are too large, too slow, or break off, and secrets that are of no use any more."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.api.rig import OFFER, SDP, Rig, problem

PLACES = [
    ("/v1/realtime/calls?to=seller", "application/sdp"),
    ("/whip/seller", "application/sdp"),
    ("/v1/realtime/client_secrets", "application/json"),
    ("/v1/calls/call_00000000000000000000/say", "application/json"),
    ("/v1/people/sign-in", "application/json"),
]


@pytest.mark.parametrize(("path", "kind"), PLACES)
async def test_a_body_without_end_is_refused_at_the_limit(rig: Rig, path: str, kind: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    # No length gives it away, and no last chunk ends it.
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + 5 * chunk)
    async with asyncio.timeout(8):
        assert await reader.readline() == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    writer.close()
    assert rig.card.offers == []
    await rig.place()


@pytest.mark.parametrize(("path", "kind"), PLACES)
async def test_a_body_that_does_not_come_is_not_waited_for(
    rig: Rig, path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.bodies.BODY_TIMEOUT_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\nv=0"
    )
    writer.write(head.encode())
    async with asyncio.timeout(10):
        assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()
    assert rig.service.live == 0


async def test_a_body_that_breaks_off_leaves_nothing(rig: Rig) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    half = OFFER[: len(OFFER) // 2]
    head = "POST /whip/seller HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/sdp\r\n"
    writer.write(f"{head}Content-Length: {len(OFFER)}\r\n\r\n{half}".encode())
    await writer.drain()
    writer.close()
    await rig.place()
    assert (rig.service.live, len(rig.card.offers)) == (1, 1)


async def test_a_secret_that_has_expired_or_was_used_makes_no_call(rig: Rig) -> None:
    key = await rig.key()
    made = await rig.keys.key_of(key)
    assert made is not None
    then = datetime.now(UTC) - timedelta(seconds=61)
    _, expired = await rig.keys.create_secret("seller", "", created_by=made.id, now=then, lives_s=60)
    used = (await rig.secret(key=key, agent="seller"))["value"]
    await rig.place("/v1/realtime/calls", key=used)
    for useless in (expired, used, expired[:-1], "ek_"):
        for path in ("/v1/realtime/calls", "/whip/seller"):
            async with rig.send("POST", path, key=useless, headers=SDP, data=OFFER.encode()) as response:
                assert "expired" in (await problem(response, 401))["detail"]
    assert (rig.service.live, len(rig.card.offers)) == (1, 1)
