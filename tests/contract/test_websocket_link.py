"""One WebSocket to a service: back-pressure, order, faults, and a quick end."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from gateway.backends import contract as ai
from gateway.backends.realtime_events import append_audio
from gateway.backends.socket import BACKLOG_FRAMES, LUMP_FRAMES, PING_S, WebSocketLink
from tests.contract.realtime_service import RealtimeService, Session


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


class Loss:
    """Where a link reports that it is lost."""

    def __init__(self) -> None:
        self.errors: list[ai.BackendError] = []


async def linked(
    service: RealtimeService, http: aiohttp.ClientSession
) -> tuple[WebSocketLink, Session, Loss]:
    loss = Loss()
    link = WebSocketLink(http, service.url, {}, on_message=lambda _: None, on_lost=loss.errors.append)
    await link.connect(5.0)
    return link, await service.session(), loss


def numbered(n: int) -> bytes:
    return append_audio(b"%08d" % n + bytes(152))


async def test_a_slow_service_costs_the_oldest_audio_and_never_delay(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        link, session, loss = await linked(service, http)
        session.stop_reading()
        sent = 3000
        for n in range(sent):
            link.send_audio(numbered(n))
            if n % 5 == 0:
                await asyncio.sleep(0)
        dropped = link.dropped_frames
        assert dropped > sent - 400, "the kernel and the transport hold little"
        assert link.dropped_ms == 20 * dropped
        session.read_on()
        await session.until(lambda: len(session.received) == sent - dropped - BACKLOG_FRAMES)
        link.send_audio(numbered(sent))
        await session.until(lambda: bool(session.received) and number(session.received[-1]) == sent)
        got = [number(event) for event in session.received]
        assert got == sorted(got)
        assert got[-BACKLOG_FRAMES:] == list(range(sent - BACKLOG_FRAMES + 1, sent + 1))
        assert len(got) + link.dropped_frames == sent + 1
        assert loss.errors == []
        await link.close()


def number(event: dict[str, str]) -> int:
    return int(base64.b64decode(event["audio"])[:8])


async def test_half_a_second_that_gathered_while_nothing_could_run_is_sent_whole(
    http: aiohttp.ClientSession,
) -> None:
    async with RealtimeService() as service:
        link, session, _ = await linked(service, http)
        for n in range(25):
            link.send_audio(numbered(n))
        await session.until(lambda: len(session.received) == 25)
        assert [number(event) for event in session.received] == list(range(25))
        assert link.dropped_frames == 0
        for n in range(3 * LUMP_FRAMES):
            link.send_audio(numbered(n))
        assert link.dropped_frames == 2 * LUMP_FRAMES, "bounded all the same"
        await link.close()


async def test_control_messages_pass_waiting_audio_and_are_not_dropped(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        link, session, _ = await linked(service, http)
        for n in range(BACKLOG_FRAMES):
            link.send_audio(numbered(n))
        link.send(json.dumps({"type": "first"}).encode())
        link.send(json.dumps({"type": "second"}).encode())
        await session.until(lambda: len(session.received) == BACKLOG_FRAMES + 2)
        assert [event["type"] for event in session.received[:3]] == [
            "first",
            "second",
            "input_audio_buffer.append",
        ]
        await link.close()


async def test_a_service_that_reads_nothing_is_lost(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        link, session, loss = await linked(service, http)
        session.stop_reading()
        message = json.dumps({"type": "x", "padding": "x" * 100_000}).encode()
        for _ in range(1000):
            link.send(message)
            await asyncio.sleep(0)
        assert [(error.kind, error.retryable) for error in loss.errors] == [("lost", True)]
        await link.close()


async def test_closing_does_not_wait_for_a_frozen_service(http: aiohttp.ClientSession) -> None:
    clock = asyncio.get_running_loop().time
    async with RealtimeService() as service:
        link, session, loss = await linked(service, http)
        session.stop_reading()
        for _ in range(100):
            link.send(json.dumps({"type": "x", "padding": "x" * 100_000}).encode())
        began = clock()
        await link.close()
        assert clock() - began < 2.0
        assert loss.errors == []


async def test_a_fault_in_handling_a_message_ends_the_session(http: aiohttp.ClientSession) -> None:
    lost = asyncio.get_running_loop().create_future()

    def broken(_: str) -> None:
        raise ZeroDivisionError

    async with RealtimeService() as service:
        link = WebSocketLink(http, service.url, {}, on_message=broken, on_lost=lost.set_result)
        await link.connect(5.0)
        await (await service.session()).send("anything")
        async with asyncio.timeout(10):
            assert (await lost).kind == "protocol"
        await link.close()


async def test_nothing_is_left_after_a_close(http: aiohttp.ClientSession) -> None:
    before = asyncio.all_tasks()
    async with RealtimeService() as service:
        link, session, _ = await linked(service, http)
        await link.close()
        await link.close()
        await session.until(lambda: session.ended)
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert not names & {"backend receive", "backend send"}


async def healthy(link: WebSocketLink, condition: Callable[[ai.BackendHealth], bool]) -> ai.BackendHealth:
    """The connection's figures, once the condition holds."""
    async for attempt in AsyncRetrying(
        stop=stop_after_delay(10), wait=wait_fixed(0.02), retry=retry_if_exception_type(AssertionError)
    ):
        with attempt:
            assert condition(link.health())
    return link.health()


async def test_round_trips_are_measured_and_a_service_that_hangs_is_noticed(
    http: aiohttp.ClientSession,
) -> None:
    async with RealtimeService() as service:
        link, session, _ = await linked(service, http)
        assert link.health() == ai.WELL
        health = await healthy(link, lambda health: health.ping_ms is not None)
        assert health.ping_ms is not None
        assert health.ping_ms >= 0
        session.stop_reading()
        hung = await healthy(link, lambda health: health.unanswered_s >= 3 * PING_S)
        assert hung.ping_ms is not None
        assert 0 <= hung.ping_ms < 1000 * hung.unanswered_s, "pings without an answer have no round trip yet"
        session.read_on()
        await healthy(link, lambda health: health.unanswered_s < PING_S)
        await link.close()


def hold_everything_up(seconds: float) -> None:
    """The whole process, and with it whatever would have read an answer."""
    time.sleep(seconds)


async def test_time_in_which_this_process_is_held_up_is_not_the_services(
    http: aiohttp.ClientSession,
) -> None:
    async with RealtimeService() as service:
        link, session, _ = await linked(service, http)
        session.stop_reading()
        await healthy(link, lambda health: health.unanswered_s > 0.0)
        hold_everything_up(1.0)
        assert link.health().unanswered_s <= 2 * PING_S
        session.read_on()
        await link.close()
