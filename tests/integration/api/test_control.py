"""A whole gateway steered from outside: webhooks out, OpenAI's client and the gateway's own verbs in."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import openai
from aiohttp import web

from gateway.core.termination import Reason
from tests.integration.harness import GatewayProcess
from tests.integration.realtime_backend import RealtimeBackend
from tests.integration.softphone import Softphone

SECRET = "whsec_" + b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Operator:
    """Is told of calls by webhook, and has OpenAI's client to act on them."""

    def __init__(self) -> None:
        self.url = ""
        self.client = openai.AsyncOpenAI(api_key="unused", max_retries=0, webhook_secret=SECRET)
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def handle(self, request: web.Request) -> web.Response:
        """Take a webhook, if it is signed."""
        body = await request.read()
        self.client.webhooks.verify_signature(body, dict(request.headers))
        self._told.put_nowait(json.loads(body))
        return web.Response(status=202)

    async def told(self, kind: str) -> dict[str, Any]:
        """The data of the next webhook, which has to be of this kind."""
        async with asyncio.timeout(15):
            event = await self._told.get()
        assert event["type"] == kind, event
        return dict(event["data"])


@asynccontextmanager
async def operator() -> AsyncIterator[Operator]:
    it = Operator()
    app = web.Application()
    app.router.add_post("/calls", it.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}/calls"
    try:
        yield it
    finally:
        await it.client.close()
        await runner.cleanup()


@asynccontextmanager
async def steered(timeout_s: float = 20.0) -> AsyncIterator[tuple[GatewayProcess, Operator]]:
    """A gateway whose calls wait for the operator's decision."""
    async with (
        operator() as op,
        RealtimeBackend("echo") as backend,
        GatewayProcess(
            agents={"echo": backend.agent(audio="auto")},
            environment={"TEST_KEY": "sk-test-echo"},
            sections={
                "webhooks": [{"url": op.url, "secret": SECRET}],
                "incoming": {"decided_by": "webhook", "timeout_s": timeout_s, "on_timeout": "reject"},
            },
        ) as gateway,
    ):
        op.client.base_url = f"http://127.0.0.1:{gateway.http_port}/v1"
        yield gateway, op


def header(data: dict[str, Any], name: str) -> str:
    """A SIP header of the webhook."""
    (value,) = [each["value"] for each in data["sip_headers"] if each["name"] == name]
    return str(value)


async def test_a_call_is_accepted_steered_and_ended_from_outside() -> None:
    async with steered() as (gateway, op), aiohttp.ClientSession(str(op.client.base_url)) as http:
        async with http.get("events") as events, Softphone(gateway.uri("4711"), identity="alice") as phone:
            data = await op.told("realtime.call.incoming")
            call_id = data["call_id"]
            assert "alice" in header(data, "From")
            assert "4711" in header(data, "To")
            assert header(data, "Call-ID")
            assert not [item for item in phone.events if item["event"] == "answered"]
            await op.client.realtime.calls.accept(call_id, type="realtime", model="gpt-realtime")
            assert (await op.told("call.answered"))["call_id"] == call_id
            await phone.event("answered")
            async with http.post(f"calls/{call_id}/say", json={"text": "This is the operator."}) as response:
                assert response.status == 200, await response.text()
            await phone.done("hear 5")
            async with http.post(f"calls/{call_id}/dtmf", json={"digits": "5"}) as response:
                assert response.status == 204, await response.text()
            await op.client.realtime.calls.hangup(call_id)
            ended = await op.told("call.ended")
            assert (ended["call_id"], ended["reason"]) == (call_id, "admin_hangup")
            seen = await _kinds_until_the_end(events)
        await gateway.settled()
        record = await gateway.record(call_id)
    assert record.reason is Reason.ADMIN_HANGUP
    assert seen[0] == "incoming"
    assert {"answered", "prompt", "dtmf_out"} <= set(seen)
    assert sorted(seen) == sorted(event.kind.value for event in record.timeline)


async def _kinds_until_the_end(events: aiohttp.ClientResponse) -> list[str]:
    seen: list[str] = []
    async with asyncio.timeout(10):
        while "ended" not in seen:
            line = (await events.content.readline()).decode()
            seen += [line.removeprefix("event: ").strip()] if line.startswith("event: ") else []
    return seen


async def test_a_call_is_rejected_from_outside() -> None:
    async with steered() as (gateway, op):
        async with Softphone(gateway.uri()):
            call_id = (await op.told("realtime.call.incoming"))["call_id"]
            await op.client.realtime.calls.reject(call_id, status_code=486)
            assert (await op.told("call.ended"))["sip_status"] == 486
        record = await gateway.record(call_id)
    assert (record.reason, record.answered_at) == (Reason.DECLINED, None)


async def test_nobody_decides_in_time() -> None:
    async with steered(timeout_s=0.5) as (gateway, op):
        async with Softphone(gateway.uri()):
            call_id = (await op.told("realtime.call.incoming"))["call_id"]
            ended = await op.told("call.ended")
        assert (ended["call_id"], ended["sip_status"], ended["answered_at"]) == (call_id, 480, None)
        assert ended["duration_s"] < 5
