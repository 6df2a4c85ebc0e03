"""Calls over HTTP as OpenAI's Realtime API makes them."""

import asyncio
import json

import aiohttp
import openai
import pytest

from gateway.core.termination import Reason
from tests.contract.stand_in_card import ANSWER_SDP
from tests.integration.api.rig import OFFER, PAGE, SDP, Rig, problem


def form(session: object = None, sdp: str | None = OFFER) -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("x", "ignored", content_type="text/plain")
    if sdp is not None:
        data.add_field("sdp", sdp, content_type="application/sdp")
    if session is not None:
        text = session if isinstance(session, str) else json.dumps(session)
        data.add_field("session", text, content_type="application/json")
    return data


async def test_an_offer_becomes_a_call_through_the_dialplan(rig: Rig) -> None:
    async with rig.offer("/v1/realtime/calls?to=%2B4930555") as response:
        assert response.status == 201
        assert response.content_type == "application/sdp"
        assert await response.text() == ANSWER_SDP
        location = response.headers["Location"]
    assert rig.card.offers[0].sdp == OFFER
    assert (rig.card.offers[0].to, rig.card.offers[0].identity) == ("+4930555", "local")
    async with rig.send("DELETE", location) as response:
        assert response.status == 200
    record = await rig.record()
    assert location == f"/v1/realtime/calls/{record.id}"
    assert (record.kind, record.route, record.agent) == ("webrtc", "sales", "seller")
    assert (record.from_number, record.to_number) == ("local", "+4930555")
    async with rig.send("DELETE", location) as response:
        await problem(response, 404)


@pytest.mark.parametrize(
    ("session", "query", "agent"),
    [
        (
            {"type": "realtime", "model": "gpt-realtime", "audio": {"output": {"voice": "marin"}}},
            "",
            "helper",
        ),
        ({"type": "realtime", "agent": "seller"}, "", "seller"),
        ({"agent": "seller", "model": "gpt-realtime"}, "", "seller"),
        ({"to": "+4930555"}, "", "seller"),
        ({"model": "gpt-realtime"}, "?to=seller", "seller"),
        (None, "?model=gpt-realtime", "helper"),
    ],
)
async def test_the_form_says_who_is_wanted(rig: Rig, session: object, query: str, agent: str) -> None:
    async with rig.send("POST", f"/v1/realtime/calls{query}", data=form(session)) as response:
        assert response.status == 201, await response.text()
        location = response.headers["Location"]
    async with rig.send("POST", f"{location}/hangup") as response:
        assert response.status == 200
    record = await rig.record()
    assert record.agent == agent
    assert record.reason is Reason.ADMIN_HANGUP


async def test_instructions_of_the_session_reach_the_agent(rig: Rig) -> None:
    session = {"agent": "seller", "instructions": "Rhyme."}
    async with rig.send("POST", "/v1/realtime/calls", data=form(session)) as response:
        assert response.status == 201
    async with asyncio.timeout(5):
        assert await rig.backends[0].until_told("instructions") == ("instructions", "Rhyme.")


@pytest.mark.parametrize(
    ("query", "sdp", "status", "word"),
    [
        ("", "hello", 400, "not SDP"),
        ("", "", 400, "not SDP"),
        ("", OFFER.replace("m=audio 9", "m=video 9"), 422, "no audio"),
        ("", OFFER.replace("m=audio 9", "m=audio 0"), 422, "no audio"),
        ("", OFFER.replace("a=group:BUNDLE 0 1\r\n", ""), 422, "BUNDLE"),
        ("", OFFER.replace("a=ice-ufrag:abcd\r\n", ""), 400, "ice-ufrag"),
        ("", OFFER.replace("a=fingerprint:sha-256 00\r\n", ""), 400, "fingerprint"),
        ("", OFFER.replace("a=fingerprint:sha-256", "a=fingerprint:md5"), 422, "fingerprint"),
        ("", OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), 422, "not encrypted"),
        ("", OFFER + "a" * 70_000, 413, "65536"),
        ("?agent=nobody", OFFER, 404, "no agent"),
        ("?to=12345", OFFER, 404, "takes this call"),
        ("?model=unknown", OFFER, 404, "takes this call"),
        ("?to=%00", OFFER, 400, "printable"),
    ],
)
async def test_offers_that_no_card_sees(rig: Rig, query: str, sdp: str, status: int, word: str) -> None:
    async with rig.offer(f"/v1/realtime/calls{query or '?to=seller'}", sdp=sdp) as response:
        assert word in (await problem(response, status))["detail"]
    assert rig.card.offers == []
    assert rig.service.live == 0


async def test_bodies_that_are_none(rig: Rig) -> None:
    path = "/v1/realtime/calls?to=seller"
    async with rig.send("POST", path, json={}) as response:
        assert "application/sdp" in (await problem(response, 415))["detail"]
    async with rig.send("POST", path, headers=SDP, data=b"\xff\xfe") as response:
        await problem(response, 400)
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--y\r\n", b"--x\r\nContent-Disposition: form-data; name=sdp\r\n\r\nv=0"):
        async with rig.send("POST", path, headers=broken, data=body) as response:
            await problem(response, 400)
    async with rig.send("POST", path, headers={"Content-Type": "multipart/form-data"}, data=b"x") as response:
        await problem(response, 400)
    for bad in (form(sdp=None), form("no json"), form({"type": "transcription"}), form({"model": 5})):
        async with rig.send("POST", path, data=bad) as response:
            await problem(response, 400)
    many = form()
    for number in range(20):
        many.add_field(f"f{number}", "x")
    async with rig.send("POST", path, data=many) as response:
        await problem(response, 400)
    async with rig.send("POST", path, data=form("x" * 70_000)) as response:
        await problem(response, 413)
    assert rig.card.offers == []


async def test_a_cards_refusal_is_passed_on(rig: Rig) -> None:
    rig.card.refusal = (422, "no codec in common")
    async with rig.offer() as response:
        assert (await problem(response, 422))["detail"] == "no codec in common"
    rig.card.refusal = (200, "nonsense")
    async with rig.offer() as response:
        await problem(response, 502)
    rig.card.refusal = (503, "full")
    async with rig.offer() as response:
        await problem(response, 503)
        assert response.headers["Retry-After"]
    assert rig.service.live == 0


async def test_peers_beyond_the_limit(rig: Rig) -> None:
    for _ in range(5):
        await rig.place()
    async with rig.offer() as response:
        assert "all 5 peers" in (await problem(response, 503))["detail"]
    assert rig.service.live == 5


async def test_no_calls_while_draining(rig: Rig) -> None:
    rig.closed_because = "draining"
    async with rig.offer() as response:
        assert "draining" in (await problem(response, 503))["detail"]


async def test_a_foreign_page_may_call_only_if_it_is_listed(rig: Rig) -> None:
    path = "/v1/realtime/calls?to=seller"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with rig.send("OPTIONS", path, headers={"Origin": PAGE} | asks) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    async with rig.send("POST", path, headers={"Origin": PAGE} | SDP, data=OFFER.encode()) as response:
        assert response.status == 201
        assert response.headers["Access-Control-Expose-Headers"].startswith("Location")
    for origin in ("https://evil.example", "null", f"http://127.0.0.1.evil:{rig.server.port}"):
        async with rig.send("OPTIONS", path, headers={"Origin": origin} | asks) as response:
            await problem(response, 403)
        # A form needs no permission of the browser's.
        async with rig.send("POST", path, headers={"Origin": origin}, data=form()) as response:
            await problem(response, 403)
            assert "Access-Control-Allow-Origin" not in response.headers
    for method, address, status in (
        ("POST", "/v1/realtime/calls?agent=nobody", 404),
        ("POST", "/v1/nothing", 404),
        ("GET", "/v1/events", 200),
    ):
        async with rig.send(method, address, headers={"Origin": PAGE} | SDP) as response:
            assert response.status == status
            assert response.headers["Access-Control-Allow-Origin"] == PAGE, "the page may read it"
    async with rig.send("POST", path, headers={"Origin": rig.base}, data=form()) as response:
        assert response.status == 201
    assert len(rig.card.offers) == 2


async def test_whoever_leaves_before_the_answer_leaves_nothing(rig: Rig) -> None:
    rig.card.silent = True
    asking = asyncio.create_task(rig.place())
    await rig.card.until(lambda: len(rig.card.offers) == 1)
    await rig.card.disconnect()
    with pytest.raises(AssertionError, match="went away"):
        await asking
    assert rig.service.live == 0


@pytest.mark.parametrize("way", ["/v1/realtime/calls?to=seller", "/whip/seller"])
async def test_a_client_that_drops_its_request_leaves_no_peer_behind(rig: Rig, way: str) -> None:
    rig.card.silent = True
    asking = asyncio.create_task(rig.place(way))
    await rig.card.until(lambda: len(rig.card.offers) == 1)
    await abandon(asking, rig)
    rig.card.accept(rig.card.offers[0])
    await rig.card.until(lambda: not rig.card.legs)
    assert rig.service.live == 0
    assert rig.ended.empty(), "it never was a call"


async def test_what_else_was_asked_for_is_done_though_nobody_waits_for_it(rig: Rig) -> None:
    location = await rig.place()
    _, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    head = (
        f"POST {location}/hangup HTTP/1.1\r\nHost: 127.0.0.1:{rig.server.port}\r\nContent-Length: 0\r\n\r\n"
    )
    writer.write(head.encode())
    writer.close()
    assert (await rig.record()).reason is Reason.ADMIN_HANGUP


async def abandon(asking: asyncio.Task[str], rig: Rig) -> None:
    """Close the connection of a request, and see that the server has noticed."""
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with rig.http.get(f"{rig.base}/healthz") as response:
        assert response.status == 200


async def test_the_official_sdk_makes_secrets_and_calls(rig: Rig) -> None:
    key = await rig.key()
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{rig.base}/v1", max_retries=0) as client:
        made = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "model": "gpt-realtime", "instructions": "Rhyme."},
        )
        assert made.value.startswith("ek_")
        assert made.session.type == "realtime"
    async with openai.AsyncOpenAI(api_key=made.value, base_url=f"{rig.base}/v1", max_retries=0) as page:
        answer = await page.realtime.calls.create(sdp=OFFER)
        assert (await answer.aread()).decode() == ANSWER_SDP
        with pytest.raises(openai.AuthenticationError):
            await page.realtime.calls.create(sdp=OFFER)
    assert rig.card.offers[0].to == "gpt-realtime"
    call_id = rig.service.calls[0].id
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{rig.base}/v1", max_retries=0) as client:
        await client.realtime.calls.hangup(call_id)
    assert (await rig.record()).id == call_id
