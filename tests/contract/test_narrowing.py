"""A Realtime session goes over to G.711 and back while it runs, on a real WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from pydantic import SecretStr

from gateway.backends import contract as ai
from gateway.backends.openai_realtime import OpenAIRealtimeBackend
from gateway.config.models import AudioChoice, OpenAIRealtimeAgent
from gateway.core.audio import PcmFormat
from tests.contract.listener import CONTEXT, KEY, Listener
from tests.contract.realtime_service import Event, RealtimeService, Session
from tests.sounds import tone

PCM24K = {"type": "audio/pcm", "rate": 24000}
PCMU = {"type": "audio/pcmu"}
WIDE_LEG = PcmFormat(16000)
FRAME = tone(1000, 20, 16000)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


async def opened(
    service: RealtimeService,
    http: aiohttp.ClientSession,
    *,
    audio: AudioChoice = "auto",
    narrow: bool = False,
) -> tuple[OpenAIRealtimeBackend, Session, Listener]:
    agent = OpenAIRealtimeAgent(
        backend="openai_realtime", url=service.url, api_key=SecretStr(KEY), audio=audio
    )
    context = replace(CONTEXT, pcm_format=WIDE_LEG, narrow=narrow)
    backend, listener = OpenAIRealtimeBackend(agent, context, http), Listener()
    await backend.open(listener)
    return backend, await service.session(), listener


def formats(event: Event) -> list[object]:
    audio = event["session"]["audio"]
    return [audio["input"]["format"], audio["output"]["format"]]


async def appended_bytes(session: Session, count: int) -> int:
    event = await session.message("input_audio_buffer.append", count)
    return len(event["audio"]) * 3 // 4


async def answer(session: Session, listener: Listener, number: int, data: bytes) -> bytes:
    """An answer of the service, as the caller hears it."""
    response = f"resp_{number}"
    await session.send("response.created", response={"id": response, "status": "in_progress"})
    await session.audio(f"item_{number}", data, response)
    await session.send("response.done", response={"id": response, "status": "completed"})
    done = await listener.event(ai.ResponseDone)
    assert done.response_id == response
    listener.events.clear()
    return listener.heard(f"item_{number}")


async def test_to_g711_and_back(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        assert formats(await session.message("session.update")) == [PCM24K, PCM24K]
        backend.send_audio(FRAME)
        assert await appended_bytes(session, 1) == pytest.approx(960, abs=150)
        assert len(await answer(session, listener, 1, bytes(48_000))) == pytest.approx(32_000, abs=100)

        assert backend.narrow(True)
        assert formats(await session.message("session.update", 2)) == [PCMU, PCMU]
        backend.send_audio(FRAME)
        assert await appended_bytes(session, 2) == pytest.approx(160, abs=50)
        assert len(await answer(session, listener, 2, b"\xff" * 8000)) == pytest.approx(32_000, abs=100)
        backend.truncate("item_2", 5000)
        assert (await session.message("conversation.item.truncate"))["audio_end_ms"] == 1000

        assert backend.narrow(False)
        assert formats(await session.message("session.update", 3)) == [PCM24K, PCM24K]
        assert len(await answer(session, listener, 3, bytes(48_000))) == pytest.approx(32_000, abs=100)
        await backend.close()


async def test_an_answer_under_way_is_waited_for(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        await session.send("response.created", response={"id": "resp_1", "status": "in_progress"})
        await listener.event(ai.ResponseStarted)
        assert backend.narrow(True)
        await session.audio("item_1", bytes(48_000))
        await session.send("response.done", response={"id": "resp_1", "status": "completed"})
        assert formats(await session.message("session.update", 2)) == [PCMU, PCMU]
        assert len(listener.heard("item_1")) == pytest.approx(32_000, abs=100)
        await backend.close()


async def test_a_service_that_refuses_goes_on_as_before(http: aiohttp.ClientSession) -> None:
    async with RealtimeService(configures=False) as service:
        agent = OpenAIRealtimeAgent(backend="openai_realtime", url=service.url, api_key=SecretStr(KEY))
        backend = OpenAIRealtimeBackend(agent, replace(CONTEXT, pcm_format=WIDE_LEG), http)
        listener = Listener()
        session = await configured(service, backend, listener)
        assert backend.narrow(True)
        asked = await session.message("session.update", 2)
        error = {"type": "invalid_request_error", "code": "invalid_value", "event_id": asked["event_id"]}
        await session.send("error", error=error)
        await listener.event(ai.ServiceNotice)
        backend.send_audio(FRAME)
        assert await appended_bytes(session, 1) == pytest.approx(960, abs=150)
        assert len(await answer(session, listener, 1, bytes(48_000))) == pytest.approx(32_000, abs=100)
        assert not backend.narrow(True)
        await backend.close()


async def test_a_service_that_ignores_the_question_goes_on_hearing_the_caller(
    http: aiohttp.ClientSession,
) -> None:
    async with RealtimeService(configures=False) as service:
        agent = OpenAIRealtimeAgent(backend="openai_realtime", url=service.url, api_key=SecretStr(KEY))
        backend = OpenAIRealtimeBackend(agent, replace(CONTEXT, pcm_format=WIDE_LEG), http)
        listener = Listener()
        session = await configured(service, backend, listener)
        backend.tell(ai.Instructions("Be brief."))
        assert backend.narrow(True)
        await session.message("session.update", 3)
        for _ in range(2):  # of the instructions, and of the format
            audio = {"input": {"format": PCM24K}, "output": {"format": PCM24K}}
            await session.send("session.updated", session={"type": "realtime", "audio": audio})
        assert len(await answer(session, listener, 1, bytes(48_000))) == pytest.approx(32_000, abs=100)
        backend.send_audio(FRAME)
        assert await appended_bytes(session, 1) == pytest.approx(960, abs=150)
        assert not backend.narrow(True)
        await backend.close()


async def configured(service: RealtimeService, backend: OpenAIRealtimeBackend, listener: Listener) -> Session:
    """Open with a service that confirms only the first session.update."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(backend.open(listener))
        session = await service.session()
        await session.message("session.update")
        await session.send("session.updated", session={"type": "realtime"})
    return session


async def test_a_format_that_was_configured_stays(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, _ = await opened(service, http, audio="pcm24k")
        assert not backend.narrow(True)
        backend.send_audio(FRAME)
        assert await appended_bytes(session, 1) == pytest.approx(960, abs=150)
        assert len(session.of_type("session.update")) == 1
        await backend.close()


async def test_a_connection_that_was_slow_is_opened_anew_with_g711(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, _ = await opened(service, http, narrow=True)
        assert formats(await session.message("session.update")) == [PCMU, PCMU]
        backend.send_audio(FRAME)
        assert await appended_bytes(session, 1) == pytest.approx(160, abs=50)
        assert backend.narrow(False)
        assert formats(await session.message("session.update", 2)) == [PCM24K, PCM24K]
        await backend.close()
