"""Functions of a real service over HTTP, called in a real call: good answers and bad ones."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.core.record import TimelineKind
from tests.integration.harness import GatewayProcess
from tests.integration.realtime_backend import RealtimeBackend, Session
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, loud_seconds

KEY, TOKEN = "sk-test-5f3c9a", "shop-token-77aa"
ENVIRONMENT = {"TEST_KEY": KEY, "SHOP_TOKEN": TOKEN}
SILENCE = b"\xff" * 160
BAD = ("big", "html", "redirect", "never")


class Shop:
    """A service that answers well or badly, by path."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        """Path and Authorization."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        match request.path.split("/")[1]:
            case "orders":
                return web.json_response({"order": request.path.split("/")[2], "state": "sent"})
            case "flaky" if len([path for path, _ in self.asked if path == "/flaky"]) < 3:
                return web.Response(status=503)
            case "big":
                return web.json_response({"text": "x" * 1_000_000})
            case "html":
                return web.Response(text="<html>nothing here</html>", content_type="text/html")
            case "redirect":
                return web.Response(status=302, headers={"Location": "/orders/1"})
            case "never":
                await asyncio.sleep(60)
        return web.json_response(["fine"])

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Its URL."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.serve)
        runner = web.AppRunner(app, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def functions(url: str) -> dict[str, Any]:
    """The configuration's `http_tools`."""
    number = {"type": "string", "pattern": "^[0-9]{6}$"}
    find = {
        "description": "Find an order.",
        "method": "GET",
        "url": f"{url}/orders/{{number}}",
        "headers": {"Authorization": "Bearer ${SHOP_TOKEN}"},
        "parameters": {"type": "object", "properties": {"number": number}, "required": ["number"]},
    }
    others = {
        name: {"description": name, "method": "GET", "url": f"{url}/{name}", "timeout_s": 3}
        for name in ("flaky", *BAD)
    }
    return {"find_order": find, **others}


def outputs(session: Session) -> dict[str, Any]:
    """What the model got, in its order."""
    items = [event["item"] for event in session.of_type("conversation.item.create")]
    return {
        item["call_id"]: json.loads(item["output"])
        for item in items
        if item["type"] == "function_call_output"
    }


async def test_a_model_uses_services_good_and_bad_and_the_call_goes_on(tmp_path: Path) -> None:
    recording, shop = tmp_path / "phone.wav", Shop()
    async with shop.open() as url, RealtimeBackend("tone", answer=SILENCE) as backend:
        tools = functions(url)
        agents = {"receptionist": backend.agent(audio="pcmu", tools={"http": list(tools)})}
        sections = {"http_tools": tools}
        async with GatewayProcess(agents=agents, environment=ENVIRONMENT, sections=sections) as gateway:
            async with Softphone(gateway.uri(), record=recording) as phone:
                await phone.event("answered")
                session = await backend.until(1)
                await backend.heard(session, 1600)
                offered = session.of_type("session.update")[0]["session"]["tools"]
                assert {tool["name"] for tool in offered} == {"end_call", *tools}
                await backend.call_function("good", "find_order", '{"number": "123456"}')
                await backend.call_function("unfit", "find_order", '{"number": "12/../../x"}')
                for name in ("flaky", *BAD):
                    await backend.call_function(name, name, "{}")
                await backend.until(1, "conversation.item.create", times=7)
                await phone.finish()
            call = await gateway.logged("call ended")
            record = await gateway.record(str(call["call_id"]))
            _, metrics = await gateway.http("/metrics")
            logged = json.dumps(gateway.log) + "".join(gateway.feed.other)
    assert list(outputs(session)) == ["good", "unfit", "flaky", *BAD], "in the order of the requests"
    answers = outputs(session)
    assert answers["good"] == {"order": "123456", "state": "sent"}
    assert answers["flaky"] == {"result": ["fine"]}
    assert "does not match" in answers["unfit"]["error"]
    assert "more than 32768 bytes" in answers["big"]["error"]
    assert "did not answer with JSON" in answers["html"]["error"]
    assert "status 302" in answers["redirect"]["error"]
    assert "within 3 s" in answers["never"]["error"]
    assert ("/orders/123456", f"Bearer {TOKEN}") in shop.asked
    assert not any(path == "/orders/1" for path, _ in shop.asked), "redirects are not followed"
    assert (record.result, record.reason) == ("completed", "caller_hangup")
    outcomes = [
        event.fields["outcome"] for event in record.timeline if event.kind is TimelineKind.TOOL_RESULT
    ]
    assert outcomes == ["ok", "refused", "ok", "failed", "failed", "failed", "failed"]
    waits = [event for event in record.timeline if event.fields.get("name") == "please_wait"]
    assert waits, "the service that never answers was covered"
    assert loud_seconds(left_channel(recording)) > 0.3, "and the caller heard it"
    assert 'gateway_tool_seconds_count{outcome="ok",tool="find_order"} 1.0' in metrics
    assert 'gateway_agent_breaker{agent="receptionist",state="closed"} 1.0' in metrics
    assert TOKEN not in logged
    assert KEY not in logged
