"""Event streams over HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from gateway.api.event_hub import MAX_CLIENTS, MAX_WAITING, Subscription
from gateway.core.ids import CallId
from gateway.core.record import TimelineEvent, TimelineKind
from gateway.core.termination import Reason
from tests.integration.api.rig import Rig, problem, running
from tests.unit.observe.test_metrics import samples

SLOW = ("gateway_slow_event_clients_total", frozenset[tuple[str, str]]())


@dataclass(frozen=True, slots=True)
class Message:
    """One event as a browser would see it; `kind` is empty for comments."""

    kind: str
    id: str
    data: dict[str, Any]


class Stream:
    """A client of an event stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Message | None:
        """The next event or comment, None at the end."""
        fields: dict[str, str] = {}
        comment = False
        async with asyncio.timeout(5):
            while line := (await self.response.content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(":")
                comment = comment or not name
                fields[name] = value.strip()
        if not line and not fields:
            return None
        if comment or "event" not in fields:
            return Message("", "", {})
        return Message(fields["event"], fields.get("id", ""), json.loads(fields["data"]))

    async def until(self, kind: str) -> list[Message]:
        """Events up to the first of this kind."""
        seen: list[Message] = []
        while not seen or seen[-1].kind != kind:
            message = await self.next()
            assert message is not None, f"the stream ended before {kind}"
            seen += [message] if message.kind else []
        return seen

    async def rest(self) -> list[Message]:
        """Everything up to the end."""
        seen: list[Message] = []
        while (message := await self.next()) is not None:
            seen += [message] if message.kind else []
        return seen


@asynccontextmanager
async def listening(rig: Rig, path: str, *, last_id: str = "", key: str = "") -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with rig.send("GET", path, key=key, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        yield Stream(response)


async def test_a_call_from_its_beginning_to_its_end(rig: Rig) -> None:
    location = await rig.place()
    call_id = location.rsplit("/", 1)[1]
    async with listening(rig, f"/v1/calls/{call_id}/events") as stream:
        seen = await stream.until("answered")
        async with rig.send("DELETE", location):
            pass
        seen += await stream.rest()
    assert [message.kind for message in seen][:2] == ["incoming", "routed"]
    assert seen[-1].kind == "ended"
    assert seen[-1].data["reason"] == "caller_hangup"
    assert {message.data["call_id"] for message in seen} == {call_id}
    numbers = [int(message.id.rpartition("-")[2]) for message in seen]
    assert numbers == list(range(len(seen)))
    record = await rig.record()
    assert sorted(message.kind for message in seen) == sorted(event.kind.value for event in record.timeline)


async def test_a_client_goes_on_where_it_was(rig: Rig) -> None:
    call_id = (await rig.place()).rsplit("/", 1)[1]
    async with listening(rig, f"/v1/calls/{call_id}/events") as stream:
        first = await stream.until("answered")
    call = rig.service.find(CallId(call_id))
    assert call is not None
    call.journal.note(TimelineKind.NOTE, text="missed")
    async with listening(rig, f"/v1/calls/{call_id}/events", last_id=first[-1].id) as stream:
        missed = await stream.until("note")
    assert {message.id for message in missed}.isdisjoint({message.id for message in first})
    async with listening(rig, f"/v1/calls/{call_id}/events", last_id="00000000-5") as stream:
        again = await stream.until("note")
    assert [message.kind for message in again[:2]] == ["gap", "incoming"]


async def test_all_calls(rig: Rig) -> None:
    async with listening(rig, "/v1/events") as stream:
        await stream.next()
        one, two = [(await rig.place()).rsplit("/", 1)[1] for _ in range(2)]
        seen = await stream.until("answered") + await stream.until("answered")
    assert {message.data["call_id"] for message in seen} == {one, two}
    half = seen[len(seen) // 2].id
    async with listening(rig, "/v1/events", last_id=half) as stream:
        again = await stream.until("answered")
    assert [message.id for message in again] == [message.id for message in seen][len(seen) // 2 + 1 :][
        : len(again)
    ]
    for last_id in ("00000000-1", half + "999999", "x"):
        async with listening(rig, "/v1/events", last_id=last_id) as stream:
            assert [message.kind for message in await stream.until("gap")] == ["gap"]


async def test_a_call_that_is_over_is_not_asked_for_again(rig: Rig) -> None:
    location = await rig.place()
    async with rig.send("DELETE", location):
        pass
    call_id = (await rig.record()).id
    await rig.service.stop(Reason.DRAINED, 5.0)
    async with rig.send("GET", f"/v1/calls/{call_id}/events") as response:
        assert response.status == 204
    async with rig.send("GET", "/v1/calls/call_00000000000000000000/events") as response:
        await problem(response, 404)


async def test_a_quiet_stream_beats_and_notices_a_revoked_key() -> None:
    async with running(heartbeat_s=0.05) as rig:
        await rig.key("admin")
        text = await rig.key("read")
        async with listening(rig, "/v1/events", key=text) as stream:
            for _ in range(3):
                message = await stream.next()
                assert message is not None
                assert message.kind == ""
            key = await rig.keys.key_of(text)
            assert key is not None
            await rig.keys.revoke_key(key.id, datetime.now(UTC))
            (last,) = await stream.rest()
        assert last.kind == "dropped"
        assert "revoked" in last.data["reason"]
    assert rig.hub.clients == 0


async def test_a_client_that_leaves_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(heartbeat_s=0.05) as rig:
        left: asyncio.Queue[Subscription] = asyncio.Queue()
        monkeypatch.setattr(rig.hub, "leave", left.put_nowait)
        async with listening(rig, "/v1/events") as stream:
            await stream.next()
            assert rig.hub.clients == 1
        async with asyncio.timeout(5):
            assert (await left.get()).call_id is None


async def _slow_client(rig: Rig) -> socket.socket:
    """Asks for all events and reads only the head of the answer."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", rig.server.port))
    await loop.sock_sendall(client, b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200 OK" in await loop.sock_recv(client, 500)
    return client


async def _flood(rig: Rig, until_clients: int) -> int:
    """Publish until so few listen; how many events that took."""
    event = TimelineEvent(1.0, TimelineKind.NOTE, {"text": "x" * 2000})
    async with asyncio.timeout(20):
        for number in range(1_000_000):
            rig.hub.publish(CallId("call_1"), event)
            if rig.hub.clients <= until_clients:
                return number
            await asyncio.sleep(0)
    raise AssertionError("unreachable")


async def test_a_client_that_does_not_read_is_dropped_and_counted(rig: Rig) -> None:
    client = await _slow_client(rig)
    try:
        assert await _flood(rig, until_clients=0) > 0
    finally:
        client.close()
    assert samples(rig.metrics)[SLOW] == 1


async def test_a_client_that_stops_reading_is_dropped_before_its_queue_is_full() -> None:
    async with running(heartbeat_s=0.3) as rig:
        client = await _slow_client(rig)
        for _ in range(MAX_WAITING // 2):
            rig.hub.publish(CallId("call_1"), TimelineEvent(1.0, TimelineKind.NOTE, {"text": "x" * 2000}))
        loop = asyncio.get_running_loop()
        received = 0
        await rig.dropped.wait()
        with suppress(ConnectionError):
            while part := await loop.sock_recv(client, 65536):
                received += len(part)
        client.close()
        assert received < MAX_WAITING // 2 * 2000
        assert rig.hub.clients == 0
    assert samples(rig.metrics)[SLOW] == 1


async def test_a_client_that_reads_late_is_told_why_it_is_dropped(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    client = await _slow_client(rig)
    event = TimelineEvent(1.0, TimelineKind.NOTE, {"text": "x" * 2000})
    for _ in range(2000):
        rig.hub.publish(CallId("call_1"), event)
    text = bytearray()
    async with asyncio.timeout(10):
        while not text.endswith(b"0\r\n\r\n"):
            text += await loop.sock_recv(client, 65536)
    client.close()
    assert text.count(b"event: note") >= 500
    assert b"event: dropped\ndata: " in text
    assert samples(rig.metrics)[SLOW] == 1
    assert rig.hub.clients == 0


async def test_a_fast_reader_loses_nothing_beside_a_slow_one(rig: Rig) -> None:
    client = await _slow_client(rig)
    async with listening(rig, "/v1/events") as stream:
        await stream.next()
        for number in range(1500):
            rig.hub.publish(CallId("call_1"), TimelineEvent(number, TimelineKind.NOTE, {"text": "x" * 2000}))
            message = await stream.next()
            assert message is not None
            assert message.data["at_ms"] == number
    client.close()


async def test_clients_beyond_the_limit(rig: Rig) -> None:
    held = [rig.hub.subscribe_all() for _ in range(MAX_CLIENTS)]
    async with rig.send("GET", "/v1/events") as response:
        await problem(response, 503)
        assert response.headers["Retry-After"]
    rig.hub.leave(held[0])
    async with listening(rig, "/v1/events") as stream:
        await stream.next()


async def test_the_end_of_the_server_ends_the_streams(rig: Rig) -> None:
    async with listening(rig, "/v1/events") as stream:
        await stream.next()
        async with asyncio.timeout(1.5):
            await rig.server.close()
        assert await stream.rest() == []


@pytest.mark.parametrize("path", ["/v1/events", "/v1/calls/call_00000000000000000000/events"])
async def test_streams_are_not_for_everybody(rig: Rig, path: str) -> None:
    await rig.key("admin")
    async with rig.send("GET", path) as response:
        await problem(response, 401)
