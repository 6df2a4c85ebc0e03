"""WHIP (RFC 9725)."""

import pytest

from tests.contract.stand_in_card import ANSWER_SDP
from tests.integration.api.rig import OFFER, Rig, problem


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
    async with rig.send("GET", "/whip/seller") as response:
        await problem(response, 405)
    location = await rig.place("/whip/seller")
    async with rig.send("PATCH", location, data=b"a=candidate") as response:
        await problem(response, 405)
        assert response.headers["Allow"] == "DELETE"
    async with rig.send("OPTIONS", "/whip/seller") as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"


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
