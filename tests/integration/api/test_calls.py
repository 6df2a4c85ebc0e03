"""What the API tells of calls."""

import asyncio

import pytest

from gateway.core.termination import Reason
from tests.integration.api.rig import Rig, problem


async def test_a_call_is_shown_while_it_lives_and_afterwards(rig: Rig) -> None:
    location = await rig.place()
    call_id = location.rsplit("/", 1)[1]
    async with asyncio.timeout(5):
        await rig.backends[0].until_told("greet")
    async with rig.send("GET", f"/v1/calls/{call_id}") as response:
        live = await response.json()
    assert (live["id"], live["live"], live["state"], live["kind"]) == (call_id, True, "talking", "webrtc")
    assert (live["agent"], live["to_number"], live["answered_at"] is not None) == ("seller", "seller", True)
    kinds = [event["kind"] for event in live["timeline"]]
    assert kinds[:2] == ["incoming", "routed"]
    assert "answered" in kinds
    async with rig.send("GET", "/v1/calls") as response:
        listed = await response.json()
    assert [(call["id"], call["live"]) for call in listed["data"]] == [(call_id, True)]
    async with rig.send("DELETE", location):
        pass
    await rig.record()
    await rig.service.stop(Reason.DRAINED, 5.0)
    async with rig.send("GET", f"/v1/calls/{call_id}") as response:
        ended = await response.json()
    assert (ended["live"], ended["state"], ended["reason"]) == (False, "ended", "caller_hangup")
    assert ended["timeline"][-1]["kind"] == "ended"
    async with rig.send("GET", "/v1/calls?limit=1") as response:
        assert [call["id"] for call in (await response.json())["data"]] == [call_id]


@pytest.mark.parametrize("call_id", ["call_00000000000000000000", "x", "call_1'--", "%2e%2e"])
async def test_calls_that_do_not_exist(rig: Rig, call_id: str) -> None:
    async with rig.send("GET", f"/v1/calls/{call_id}") as response:
        assert response.status == 404


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1", "9" * 50])
async def test_limits_that_cannot_be(rig: Rig, limit: str) -> None:
    async with rig.send("GET", f"/v1/calls?limit={limit}") as response:
        assert (await problem(response, 400))["param"] == "limit"
