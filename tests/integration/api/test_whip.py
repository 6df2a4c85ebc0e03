"""WHIP (RFC 9725)."""

import pytest

from tests.contract.stand_in_card import ANSWER_SDP
from tests.integration.api.rig import OFFER, PAGE, Rig, problem


@pytest.mark.parametrize(
    ("to", "agent"), [("seller", "seller"), ("%2B4930555", "seller"), ("helper", "helper")]
)
async def test_a_session_begins_and_ends(rig: Rig, to: str, agent: str) -> None:
    async with rig.offer(f"/whip/{to}") as response:
        assert response.status == 201
        assert response.content_type == "application/sdp"
        assert await response.text() == ANSWER_SDP
        location = response.headers["Location"]
    assert location.startswith(f"/whip/{to}/call_")
    async with rig.send("DELETE", location) as response:
        assert response.status == 200
    record = await rig.record()
    assert (record.agent, record.kind) == (agent, "webrtc")
    async with rig.send("DELETE", location) as response:
        await problem(response, 404)


async def test_what_whip_does_not_take(rig: Rig) -> None:
    async with rig.send("POST", "/whip/seller", json={}) as response:
        await problem(response, 415)
        assert response.headers["Accept-Post"] == "application/sdp"
    async with rig.offer("/whip/sellr") as response:
        await problem(response, 404)
    async with rig.offer("/whip/999") as response:
        await problem(response, 404)
    location = await rig.place("/whip/seller")
    for body in (b"a=ice-ufrag:abcd", b""):
        fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
        async with rig.send("PATCH", location, headers=fragment, data=body) as response:
            await problem(response, 501)
    assert rig.service.live == 1, "a refused restart leaves the call as it is"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_other_methods_of_the_endpoint_are_reserved(rig: Rig, method: str) -> None:
    async with rig.send(method, "/whip/seller") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
async def test_other_methods_of_the_session_are_reserved(rig: Rig, method: str) -> None:
    location = await rig.place("/whip/seller")
    async with rig.send(method, location) as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"DELETE", "PATCH"}
    async with rig.send("DELETE", location, headers={"If-Match": '"of no session"'}) as response:
        assert response.status == 200, "DELETE matches no ICE session"


@pytest.mark.parametrize("origin", ["", PAGE])
async def test_options_name_the_type_also_to_a_browser(rig: Rig, origin: str) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"} if origin else {}
    async with rig.send("OPTIONS", "/whip/seller", headers=asks) as response:
        assert response.status == 200
        assert response.headers["Accept-Post"] == "application/sdp"
        assert response.headers.get("Access-Control-Allow-Origin", "") == origin
        assert ("POST" in response.headers.get("Access-Control-Allow-Methods", "")) == bool(origin)


async def test_too_many_are_told_when_to_come_again(rig: Rig) -> None:
    for _ in range(5):
        await rig.place("/whip/seller")
    async with rig.offer("/whip/seller") as response:
        await problem(response, 503)
        assert int(response.headers["Retry-After"]) > 0


async def test_an_encoder_brings_a_secret_as_its_token(rig: Rig) -> None:
    await rig.key()
    key = await rig.key()
    secret = (await rig.secret(key=key, agent="seller"))["value"]
    async with rig.offer("/whip/helper", key=secret) as response:
        await problem(response, 403)
    location = await rig.place("/whip/seller", key=secret)
    async with rig.send("DELETE", location, key=secret) as response:
        assert response.status == 200
    assert rig.card.offers[0].sdp == OFFER
