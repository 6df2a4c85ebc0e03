"""The Media Streams backend on a real WebSocket, where a transcript would be too long."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from gateway.backends import contract as ai
from gateway.backends.media_stream import MAX_RUBBISH
from gateway.backends.twilio_media_streams import TwilioMediaStreamsBackend
from gateway.config.agents_more import TwilioMediaStreamsAgent
from tests.contract.listener import CONTEXT, Listener
from tests.contract.wire_service import WireService

AUDIO = json.dumps({"event": "media", "media": {"payload": base64.b64encode(bytes(160)).decode()}})


@pytest.fixture
async def service() -> AsyncIterator[WireService]:
    async with WireService() as service:
        yield service


@pytest.fixture
async def backend(service: WireService) -> AsyncIterator[TwilioMediaStreamsBackend]:
    agent = TwilioMediaStreamsAgent(backend="twilio_media_streams", url=service.url)
    async with aiohttp.ClientSession() as http:
        backend = TwilioMediaStreamsBackend(agent, CONTEXT, http)
        yield backend
        await backend.close()


@pytest.fixture
async def listener(backend: TwilioMediaStreamsBackend, service: WireService) -> Listener:
    listener = Listener()
    await backend.open(listener)
    backend.greet()
    for event in ("connected", "start"):
        assert (await service.next_message())["event"] == event
    return listener


async def test_the_bot_is_told_what_is_known_when_the_stream_begins(service: WireService) -> None:
    agent = TwilioMediaStreamsAgent(
        backend="twilio_media_streams", url=service.url, parameters={"entered": "{digits}", "who": "{from}"}
    )
    variables = {"from": "5551234"}
    async with aiohttp.ClientSession() as http:
        backend = TwilioMediaStreamsBackend(agent, replace(CONTEXT, variables=variables), http)
        await backend.open(Listener())
        assert (await service.next_message())["event"] == "connected"
        variables["digits"] = "42"
        backend.greet()
        start = (await service.next_message())["start"]
        await backend.close()
    assert start["customParameters"] == {"entered": "42", "who": "5551234"}


async def test_a_minute_of_marks_comes_back_at_once(service: WireService, listener: Listener) -> None:
    for number in range(3000):
        await service.send(AUDIO)
        await service.send(json.dumps({"event": "mark", "mark": {"name": str(number)}}))
    await service.send('{"event":"clear"}')
    names = [(await service.next_message())["mark"]["name"] for _ in range(3000)]
    assert names == [str(number) for number in range(3000)]
    assert listener.events[-1] == ai.ClearPlayout()
    assert len(listener.of(ai.AudioDone)) == 3000


async def test_the_longest_backlog_is_one_item_in_one_message(
    service: WireService, listener: Listener
) -> None:
    payload = base64.b64encode(bytes(8000 * 90)).decode()
    await service.send(json.dumps({"event": "media", "media": {"payload": payload}}))
    await listener.until(lambda: bool(listener.audio))
    assert len(listener.audio[0][1]) == 16000 * 90


@pytest.mark.parametrize("rubbish", ["<html>", b"\x00"])
async def test_a_peer_that_sends_nothing_else_is_given_up(
    service: WireService, listener: Listener, rubbish: str | bytes
) -> None:
    for _ in range(MAX_RUBBISH):
        await service.send(rubbish)
    lost = await listener.event(ai.BackendLost)
    assert (lost.error.kind, lost.error.retryable) == ("protocol", False)


async def test_what_was_dropped_on_a_slow_connection_shows_in_the_counts(
    service: WireService, listener: Listener, backend: TwilioMediaStreamsBackend
) -> None:
    service.stop_reading()
    sent = 3000
    for _ in range(sent):
        backend.send_audio(bytes(320))
    assert backend.dropped_ms > 0
    service.read_on()
    arrived = sent - round(backend.dropped_ms / 20)
    messages = [await service.next_message() for _ in range(arrived)]
    assert [int(m["sequenceNumber"]) for m in messages] == list(range(2, arrived + 2))
    chunks = [int(m["media"]["chunk"]) for m in messages]
    assert chunks == sorted(set(chunks))
    assert chunks[-1] == sent
