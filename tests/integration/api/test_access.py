"""Keys, roles, client secrets, and this machine without any key."""

from typing import Any

import pytest

from gateway.core.termination import Reason
from gateway.store.keys import Role
from tests.integration.api.rig import Rig, problem

NOBODY = "/v1/realtime/calls/call_00000000000000000000"

NEEDS: list[tuple[str, str, Role]] = [
    ("GET", "/v1/calls", "read"),
    ("GET", "/v1/calls/call_00000000000000000000", "read"),
    ("POST", "/v1/realtime/calls?to=seller", "operate"),
    ("POST", "/v1/realtime/client_secrets", "operate"),
    ("DELETE", "/v1/realtime/client_secrets/cs_1", "operate"),
    ("DELETE", NOBODY, "operate"),
    ("POST", f"{NOBODY}/hangup", "operate"),
    ("POST", "/whip/seller", "operate"),
    ("DELETE", "/whip/seller/call_00000000000000000000", "operate"),
]


async def ask(rig: Rig, method: str, path: str, key: str) -> int:
    headers = {} if path.endswith("client_secrets") else {"Content-Type": "application/sdp"}
    async with rig.send(method, path, key=key, headers=headers, data=b"") as response:
        return response.status


@pytest.mark.parametrize(("method", "path", "role"), NEEDS)
async def test_once_there_is_a_key_everything_needs_one(rig: Rig, method: str, path: str, role: Role) -> None:
    assert await ask(rig, method, path, "") not in (401, 403)
    await rig.key("admin")
    assert await ask(rig, method, path, "") == 401
    assert await ask(rig, method, path, "gw_wrong") == 401
    async with rig.send(method, path, headers={"Content-Type": "application/sdp"}) as response:
        await problem(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path", "role"), NEEDS)
async def test_roles(rig: Rig, method: str, path: str, role: Role) -> None:
    assert await ask(rig, method, path, await rig.key("admin")) not in (401, 403)
    assert (await ask(rig, method, path, await rig.key("read")) == 403) == (role != "read")
    assert await ask(rig, method, path, await rig.key(role)) not in (401, 403)


async def test_a_revoked_key_is_of_no_use_at_once(rig: Rig) -> None:
    await rig.key("admin")
    text = await rig.key("read")
    assert await ask(rig, "GET", "/v1/calls", text) == 200
    key = await rig.keys.key_of(text)
    assert key is not None
    await rig.keys.revoke_key(key.id, key.created_at)
    assert await ask(rig, "GET", "/v1/calls", text) == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
        {"Host": "rebound.example:8080"},
    ],
)
async def test_without_a_key_only_this_machine_is_served(rig: Rig, headers: dict[str, str]) -> None:
    async with rig.send("GET", "/v1/calls", headers=headers) as response:
        assert "gateway keys create" in (await problem(response, 403))["detail"]
    for host in ("localhost:1", "127.0.0.1", "[::1]:80"):
        async with rig.send("GET", "/v1/calls", headers={"Host": host}) as response:
            assert response.status == 200


async def test_a_secret_makes_one_call_and_ends_it_and_nothing_else(rig: Rig) -> None:
    key = await rig.key()
    secret = (await rig.secret(key=key, agent="seller"))["value"]
    other = (await rig.secret(key=key, agent="seller"))["value"]
    location = await rig.place("/v1/realtime/calls", key=secret)
    assert rig.card.offers[0].to == "seller"
    assert rig.card.offers[0].identity.startswith("secret cs_")
    async with rig.offer(key=secret) as response:
        await problem(response, 401)
    async with rig.send("GET", "/v1/calls", key=secret) as response:
        await problem(response, 403)
    async with rig.send("POST", "/v1/realtime/client_secrets", key=secret, json={}) as response:
        await problem(response, 403)
    async with rig.send("DELETE", location, key=other) as response:
        await problem(response, 403)
    async with rig.send("DELETE", location, key=secret) as response:
        assert response.status == 200
    assert (await rig.record()).agent == "seller"


@pytest.mark.parametrize(
    ("query", "status"),
    [("?agent=helper", 403), ("?to=%2B4930555", 403), ("?model=helper", 403), ("?model=gpt-realtime", 201)],
)
async def test_a_secret_is_bound_to_its_agent(rig: Rig, query: str, status: int) -> None:
    secret = (await rig.secret(agent="seller"))["value"]
    async with rig.offer(f"/v1/realtime/calls{query}", key=secret) as response:
        assert response.status == status
    assert [offer.to for offer in rig.card.offers] == (["seller"] if status == 201 else [])


async def test_a_caller_leaves_and_does_not_hang_up_as_an_operator(rig: Rig) -> None:
    secret = (await rig.secret(agent="seller"))["value"]
    location = await rig.place("/v1/realtime/calls", key=secret)
    async with rig.send("POST", f"{location}/hangup", key=secret) as response:
        await problem(response, 403)
    assert rig.service.live == 1
    async with rig.send("DELETE", location, key=secret) as response:
        assert response.status == 200
    assert (await rig.record()).reason is Reason.CALLER_HANGUP


async def test_a_secret_that_made_no_call_can_be_used_again(rig: Rig) -> None:
    secret = (await rig.secret(agent="seller"))["value"]
    rig.card.refusal = (503, "full")
    async with rig.offer("/v1/realtime/calls", key=secret) as response:
        await problem(response, 503)
    rig.card.refusal = None
    await rig.place("/v1/realtime/calls", key=secret)


async def test_a_secret_can_be_taken_back(rig: Rig) -> None:
    made = await rig.secret(agent="seller")
    path = f"/v1/realtime/client_secrets/{made['id']}"
    async with rig.send("DELETE", path) as response:
        assert response.status == 204
    async with rig.send("DELETE", path) as response:
        await problem(response, 404)
    async with rig.offer("/v1/realtime/calls", key=made["value"]) as response:
        await problem(response, 401)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"session": {"type": "transcription"}}, 400),
        ({"expires_after": {"seconds": 9}}, 400),
        ({"expires_after": {"seconds": 7201}}, 400),
        ({"expires_after": {"anchor": "never"}}, 400),
        ({"session": {"agent": "nobody"}}, 404),
        ({"session": {"model": "unknown"}}, 404),
        ([], 400),
    ],
)
async def test_secrets_that_cannot_be_made(rig: Rig, body: Any, status: int) -> None:
    async with rig.send("POST", "/v1/realtime/client_secrets", json=body) as response:
        await problem(response, status)


async def test_a_secret_is_never_kept_by_those_in_between(rig: Rig) -> None:
    async with rig.send(
        "POST", "/v1/realtime/client_secrets", json={"session": {"agent": "seller"}}
    ) as response:
        assert response.headers["Cache-Control"] == "no-store"
