"""People over HTTP: sign-in and answering. Cards, calls and database are real."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from gateway.core.ids import CallId
from gateway.legs.people import messages as page
from gateway.legs.people.ring import RingFailedError, RingInfo
from gateway.wire import card as wire
from tests.integration.api.pages import answer, line, sign_in, there
from tests.integration.api.rig import PASSWORD, SDP, Rig, problem, running

INFO = RingInfo(
    from_party="+4930123", to="+4930555", transcript=(page.TranscriptLine("caller", "hello"),), timeout_s=10
)


class Sink:
    """Owner of a leg that was answered."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[object] = asyncio.Queue()

    def on_audio(self, pcm: bytes, flags: int) -> None:
        """Not of interest here."""

    def on_leg_event(self, event: object) -> None:
        self.events.put_nowait(event)

    async def closed(self) -> wire.LegClosed:
        """Wait for the end of the leg."""
        async with asyncio.timeout(5):
            while not isinstance(event := await self.events.get(), wire.LegClosed):
                pass
        return event


# ---- signing in -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"user": "olivia", "password": "wrong password"}', 401),
        ('{"user": "nobody", "password": "a password of people"}', 401),
        ('{"user": "olivia"}', 400),
        ('{"user": "olivia", "password": 12345678}', 400),
        ('{"user": "' + "x" * 65 + '", "password": "x"}', 400),
        ("not json", 400),
        ("[" * 2000, 400),
        ("x" * 5000, 413),
    ],
)
async def test_what_is_no_sign_in(rig: Rig, body: str, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    async with rig.send("POST", "/v1/people/sign-in", headers=headers, data=body) as response:
        found = await problem(response, status)
    assert "a password of people" not in str(found)


async def test_a_form_of_another_page_cannot_sign_in(rig: Rig) -> None:
    body = json.dumps({"user": "olivia", "password": PASSWORD})
    async with rig.send("POST", "/v1/people/sign-in", data=body) as response:
        await problem(response, 415)
    headers = {"Content-Type": "application/json", "Origin": "https://evil.example"}
    async with rig.send("POST", "/v1/people/sign-in", headers=headers, data=body) as response:
        await problem(response, 403)


async def test_guessing_is_slowed_down(rig: Rig) -> None:
    body = {"user": "olivia", "password": "wrong"}
    for _ in range(10):
        async with rig.send("POST", "/v1/people/sign-in", json=body) as response:
            await problem(response, 401)
    async with rig.send("POST", "/v1/people/sign-in", json=body | {"password": PASSWORD}) as response:
        await problem(response, 429)
        assert int(response.headers["Retry-After"]) > 0


async def test_a_person_may_use_the_phone_and_nothing_else(rig: Rig) -> None:
    await rig.key("admin")
    token = await sign_in(rig)
    async with rig.send("GET", "/v1/calls", key=token) as response:
        await problem(response, 403)
    async with rig.send("POST", "/v1/realtime/client_secrets", key=token, json={}) as response:
        await problem(response, 403)
    async with rig.send("GET", "/phone/agents.json", key=token) as response:
        assert (await response.json())["agents"] == ["seller", "helper"]
    mine = await rig.place(key=token)
    others = await rig.place(key=await rig.key())
    async with rig.send("DELETE", others, key=token) as response:
        await problem(response, 403)
    async with rig.send("DELETE", mine, key=token) as response:
        assert response.status == 200
    assert (await rig.record()).from_number == "person olivia"


async def test_signing_out_ends_the_token_and_the_line(rig: Rig) -> None:
    token = await sign_in(rig)
    other = await sign_in(rig)
    async with line(rig, token) as it, line(rig, other) as stays:
        async with rig.send("POST", "/v1/people/sign-out", key=token) as response:
            assert response.status == 204
        assert await it.closed() == 4401
        await stays.say(type="hold")
        await stays.told("refused")
    async with rig.send("GET", "/phone/agents.json", key=token) as response:
        await problem(response, 401)
    await there(rig, "olivia", "offline")


class SlowRemoval:
    """The database takes its time over a sign-out."""

    def __init__(self, rig: Rig) -> None:
        self._remove = rig.sign_ins.remove
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.over = asyncio.Event()
        self.cancelled = False

    async def remove(self, digest: str) -> None:
        self.begun.set()
        try:
            await self.go_on.wait()
            await self._remove(digest)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.over.set()


@asynccontextmanager
async def signing_out(
    rig: Rig, token: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SlowRemoval, asyncio.StreamWriter]]:
    """A sign-out that has come as far as the database."""
    removal = SlowRemoval(rig)
    monkeypatch.setattr(rig.sign_ins, "remove", removal.remove)
    _, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    head = (
        "POST /v1/people/sign-out HTTP/1.1",
        f"Host: 127.0.0.1:{rig.server.port}",
        f"Authorization: Bearer {token}",
        "Content-Length: 0",
    )
    writer.write("\r\n".join((*head, "", "")).encode())
    try:
        async with asyncio.timeout(5):
            await removal.begun.wait()
        yield removal, writer
    finally:
        writer.close()


async def test_a_sign_out_is_carried_out_though_the_page_is_gone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await sign_in(rig)
    async with signing_out(rig, token, monkeypatch) as (removal, writer):
        async with rig.send("GET", "/phone/agents.json", key=token) as response:
            await problem(response, 401)
        writer.close()
        async with rig.send("GET", "/healthz"):  # the server has noticed
            pass
        removal.go_on.set()
        async with asyncio.timeout(5):
            await removal.over.wait()
    assert await rig.sign_ins.load(datetime.now(UTC)) == []


async def test_a_request_that_hangs_is_ended_before_the_stop_goes_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signing_out(rig, await sign_in(rig), monkeypatch) as (removal, writer):
        writer.close()
        async with rig.send("GET", "/healthz"):
            pass
        await rig.server.close()
        assert removal.cancelled


async def test_a_sign_in_outlives_the_core_and_a_sign_out_is_for_good() -> None:
    async with running() as first:
        token, other = await sign_in(first), await sign_in(first, "otto")
        async with first.send("POST", "/v1/people/sign-out", key=other) as response:
            assert response.status == 204
        left = await first.sign_ins.load(datetime.now(UTC))
    assert [each.user for each in left] == ["olivia"]
    async with running(signed_in=left) as second:
        async with line(second, token):
            await there(second, "olivia", "ready")
        mine = await second.place(key=token)
        async with second.send("DELETE", mine, key=token) as response:
            assert response.status == 200
        await second.record()
        async with second.send("DELETE", mine, key=token) as response:
            await problem(response, 404)
        async with second.send("GET", "/phone/agents.json", key=other) as response:
            await problem(response, 401)


# ---- answering ------------------------------------------------------------------------------------


async def test_a_ring_is_answered_talked_on_and_left(rig: Rig) -> None:
    token = await sign_in(rig)
    async with line(rig, token) as it:
        ring = rig.people.ring("olivia", INFO)
        told = await it.told("ring")
        assert told == {
            "type": "ring",
            "ring_id": ring.id,
            "from": "+4930123",
            "to": "+4930555",
            "agent": "",
            "transcript": [{"role": "caller", "text": "hello"}],
        }
        async with answer(rig, token, ring.id, it.id) as response:
            assert response.status == 201, await response.text()
            location = response.headers["Location"]
            assert (await response.text()).startswith("v=0")
        leg = await ring.answered()
        assert rig.service.live == 0
        assert rig.backends == []
        sink = Sink()
        asked: asyncio.Queue[page.LineRequest] = asyncio.Queue()
        leg.attach(CallId("call_1"), sink)
        leg.answer()
        assert ring.line is not None
        ring.line.attach(asked.put_nowait)
        ring.line.joined(CallId("call_1"))
        assert (await it.told("joined"))["call_id"] == "call_1"
        await it.say(type="hold")
        assert await asked.get() == "hold"
        async with rig.send("DELETE", location, key=await sign_in(rig, "otto")) as response:
            await problem(response, 404)
        async with rig.send("DELETE", location, key=token) as response:
            assert response.status == 204
        assert await asked.get() == "hang_up"
        leg.close(200, "bye")
        await sink.closed()
        ring.line.left("hung_up")
        assert (await it.told("left"))["reason"] == "hung_up"
        async with rig.send("DELETE", location, key=token) as response:
            await problem(response, 404)


async def test_who_rings_learns_of_an_end_that_came_before_they_took_the_leg(rig: Rig) -> None:
    token = await sign_in(rig)
    async with line(rig, token) as it:
        ring = rig.people.ring("olivia", INFO)
        await it.told("ring")
        async with answer(rig, token, ring.id, it.id) as response:
            assert response.status == 201
        (on_card,) = rig.card.legs.values()
        on_card.end(408, "no connection", "card")
        async with asyncio.timeout(5):
            while rig.pool.legs:
                async with rig.send("GET", "/healthz"):
                    pass
        sink = Sink()
        (await ring.answered()).attach(CallId("call_1"), sink)
        assert (await sink.closed()).status == 408


async def test_two_pages_ring_and_one_wins(rig: Rig) -> None:
    token = await sign_in(rig)
    async with line(rig, token) as first, line(rig, await sign_in(rig)) as second:
        await second.say(type="hold")
        await second.told("refused")  # so that its `ready` has been heard
        ring = rig.people.ring("olivia", INFO)
        await first.told("ring")
        await second.told("ring")
        async with answer(rig, token, ring.id, second.id) as response:
            assert response.status == 201
        assert (await first.told("ring_ended"))["reason"] == "answered_elsewhere"
        async with answer(rig, token, ring.id, first.id) as response:
            await problem(response, 409)
        leg = await ring.answered()
        assert leg.kind == "webrtc"
        assert len(rig.card.legs) == 1
        leg.close(200, "bye")


async def test_declining_and_the_callers_end_are_told(rig: Rig) -> None:
    async with line(rig, await sign_in(rig)) as it:
        ring = rig.people.ring("olivia", INFO)
        await it.say(type="decline", ring_id=(await it.told("ring"))["ring_id"])
        with pytest.raises(RingFailedError) as caught:
            await ring.answered()
        assert caught.value.reason == "declined"
        assert (await it.told("ring_ended"))["reason"] == "declined"
        again = rig.people.ring("olivia", INFO)
        await it.told("ring")
        again.cancel()
        assert (await it.told("ring_ended"))["reason"] == "cancelled"


async def test_a_refused_offer_lets_it_ring_on(rig: Rig) -> None:
    token = await sign_in(rig)
    async with line(rig, token) as it:
        ring = rig.people.ring("olivia", INFO)
        await it.told("ring")
        rig.card.refusal = (488, "no codec")
        async with answer(rig, token, ring.id, it.id) as response:
            await problem(response, 488)
        rig.card.refusal = None
        path = f"/v1/realtime/calls?answer={ring.id}&line={it.id}"
        async with rig.send("POST", path, key=token, headers=SDP, data="rubbish") as response:
            await problem(response, 400)
        assert not ring.over
        async with answer(rig, token, ring.id, it.id) as response:
            assert response.status == 201
        (await ring.answered()).close(200, "bye")


async def test_a_ring_that_ends_while_its_answer_is_on_the_way(rig: Rig) -> None:
    token = await sign_in(rig)
    rig.card.silent = True
    async with line(rig, token) as it:
        ring = rig.people.ring("olivia", INFO)
        await it.told("ring")
        request = asyncio.create_task(answer(rig, token, ring.id, it.id).__aenter__())
        await rig.card.until(lambda: len(rig.card.offers) == 1)
        ring.cancel()
        rig.card.accept(rig.card.offers[0])
        response = await request
        await problem(response, 409)
        response.release()
    await rig.card.until(lambda: not rig.card.legs)
    assert rig.service.live == 0


@pytest.mark.parametrize("query", ["answer=rg_x&line=ln_x", "answer=", "answer=rg_x"])
async def test_what_does_not_ring_cannot_be_answered(rig: Rig, query: str) -> None:
    token = await sign_in(rig)
    async with rig.offer(f"/v1/realtime/calls?{query}", key=token) as response:
        await problem(response, 409)
    async with rig.offer(f"/v1/realtime/calls?{query}", key=await rig.key("admin")) as response:
        await problem(response, 401)
    assert rig.card.offers == []


async def test_an_address_of_an_answer_is_no_number(rig: Rig) -> None:
    async with rig.offer("/v1/realtime/calls?to=ring:abc") as response:
        assert response.status in (404, 503)
    assert rig.service.live == 0
