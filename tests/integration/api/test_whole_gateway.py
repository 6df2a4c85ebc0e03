"""A stock WebRTC client calls a whole gateway over HTTP and talks to the embedded bot."""

import asyncio
import json
import os
import signal
from typing import Any

import aiohttp
import numpy as np

from gateway.core.record import TimelineKind
from gateway.core.termination import Reason
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port
from tests.integration.webrtc_card.client import Client


class Page:
    """A client with the data channel's events read."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self._client.texts]

    async def until(self, type_: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th event of a type."""

        def found() -> list[dict[str, Any]]:
            return [event for event in self.events if event["type"] == type_]

        await self._client.until(lambda: len(found()) >= count, within_s=20)
        return found()[count - 1]

    def send(self, type_: str, **fields: Any) -> None:
        assert self._client.channel is not None
        self._client.channel.send(json.dumps({"type": type_, **fields}))


def gateway_with_webrtc() -> GatewayProcess:
    where = f"127.0.0.1:{free_sip_port()}"
    return GatewayProcess(
        max_calls=4, sections={"webrtc": {"listen": where, "advertise": [where], "max_peers": 2}}
    )


async def connect(http: aiohttp.ClientSession, client: Client, key: str = "") -> str:
    """Make the call; its address."""
    headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {key}"} if key else {})
    offer = (await client.offer()).encode()
    async with http.post("/v1/realtime/calls?model=gpt-realtime", data=offer, headers=headers) as response:
        assert response.status == 201, await response.text()
        await client.take(await response.text())
        return response.headers["Location"]


async def test_a_call_from_the_secret_to_the_record() -> None:
    async with gateway_with_webrtc() as gateway:
        base = f"http://127.0.0.1:{gateway.http_port}"
        async with aiohttp.ClientSession(base) as http, Client(frequency_hz=0) as client:
            async with http.post(
                "/v1/realtime/client_secrets", json={"session": {"agent": "bot"}}
            ) as response:
                secret = (await response.json())["value"]
            location = await connect(http, client, secret)
            page = Page(client)
            await page.until("session.created")
            assert page.events[0]["type"] == "session.created"
            await client.until(lambda: any(np.abs(samples).max() > 1000 for _, samples in client.heard))
            greeting = await page.until("response.output_audio_transcript.done")
            assert "Which department" in greeting["transcript"]
            page.send("response.cancel")
            truncated = await page.until("conversation.item.truncated")
            assert 0 < truncated["audio_end_ms"] < 8000
            content = [{"type": "input_text", "text": "billing please"}]
            page.send(
                "conversation.item.create", item={"type": "message", "role": "user", "content": content}
            )
            page.send("response.create")
            answer = await page.until("response.output_audio_transcript.done", 2)
            assert answer["transcript"].startswith("You said billing.")
            headers = {"Authorization": f"Bearer {secret}"}
            async with http.delete(location, headers=headers) as response:
                assert response.status == 200
            await gateway.settled()
        record = await gateway.record(location.rsplit("/", 1)[1])
    assert (record.kind, record.agent, record.reason) == ("webrtc", "bot", Reason.CALLER_HANGUP)
    assert record.from_number.startswith("secret cs_")
    said = [str(event.fields["text"]) for event in record.timeline if event.kind is TimelineKind.SAID]
    assert "billing please" in said


async def test_a_call_outlives_the_core() -> None:
    async with gateway_with_webrtc() as gateway:
        base = f"http://127.0.0.1:{gateway.http_port}"
        async with aiohttp.ClientSession(base) as http, Client(frequency_hz=0) as client:
            location = await connect(http, client)
            page = Page(client)
            await page.until("response.done")
            seen = len(page.events)
            os.kill(gateway.core_pid(), signal.SIGKILL)
            await gateway.logged("call taken over", within_s=20)
            page.send("response.create")
            await page.until("response.created", 2)
            assert "session.created" not in [event["type"] for event in page.events[seen:]]
            async with asyncio.timeout(20), http.delete(location) as response:
                assert response.status == 200
            await gateway.settled()
        record = await gateway.record(location.rsplit("/", 1)[1])
    assert (record.kind, record.recovered, record.reason) == ("webrtc", 1, Reason.CALLER_HANGUP)
