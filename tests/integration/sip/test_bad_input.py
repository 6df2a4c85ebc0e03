"""What is no proper SIP must be refused or ignored, and must not disturb anything."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.harness import GatewayProcess
from tests.integration.raw_sip import RawSip
from tests.integration.realtime_backend import RealtimeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[GatewayProcess]:
    async with RealtimeBackend("echo") as backend:
        agents = {"echo": backend.agent()}
        async with GatewayProcess(agents=agents, environment={"TEST_KEY": "k"}) as process:
            yield process


@pytest_asyncio.fixture(loop_scope="module")
async def far_end(gateway: GatewayProcess) -> AsyncIterator[RawSip]:
    """A socket; afterwards the gateway must answer as before and have no call."""
    async with RawSip(gateway.sip_port) as far_end:
        yield far_end
        assert await far_end.final_status(far_end.request("OPTIONS")) == 200
    assert not [line for line in gateway.log if line.get("event") == "call offered"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe" * 400,
        b"\r\n\r\n",
        b"INVITE\r\n\r\n",
        b"SIP/2.0 200\r\n\r\n",
        b"INVITE sip:demo@127.0.0.1 SIP/2.0\r\n" + b"X: y\r\n" * 5000,
        b"INVITE sip:demo@127.0.0.1 SIP/2.0\r\nVia: \r\nFrom: \r\nTo: \r\nCall-ID: \r\nCSeq: \r\n\r\n",
    ],
    ids=["binary", "keepalive", "no headers", "short response", "huge", "empty headers"],
)
async def test_garbage_does_no_harm(far_end: RawSip, garbage: bytes) -> None:
    far_end.send(garbage)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CSeq: 1 INVITE", b"CSeq: one INVITE"),
        (b"CSeq: 1 INVITE", b"CSeq: 1 BYE"),
        (b"Content-Length: 0", b"Content-Length: -5"),
        (b"Content-Length: 0", b"Content-Length: 5000"),
    ],
    ids=["CSeq no number", "CSeq of another method", "negative length", "length beyond the end"],
)
async def test_a_malformed_invite_is_a_bad_request(far_end: RawSip, old: bytes, new: bytes) -> None:
    assert await far_end.final_status(far_end.request("INVITE").replace(old, new)) == 400


async def test_no_hops_left(far_end: RawSip) -> None:
    request = far_end.request("INVITE").replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
    assert await far_end.final_status(request) == 483


@pytest.mark.parametrize(
    ("method", "status"), [("FROBNICATE", 501), ("PUBLISH", 405), ("BYE", 481), ("INFO", 481)]
)
async def test_methods_that_are_not_served_here(far_end: RawSip, method: str, status: int) -> None:
    request = far_end.request(method)
    if status == 481:
        request = request.replace(b"To: <sip:demo@127.0.0.1>", b"To: <sip:demo@127.0.0.1>;tag=unknown")
    assert await far_end.final_status(request) == status
