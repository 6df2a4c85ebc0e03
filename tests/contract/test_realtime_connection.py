"""The Realtime backend on a real WebSocket: opening, refusals, losses, rubbish, back-pressure."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from pydantic import SecretStr

from gateway.backends import contract as ai
from gateway.backends.openai_realtime import OpenAIRealtimeBackend
from gateway.backends.socket import MAX_MESSAGE_BYTES
from gateway.config.models import OpenAIRealtimeAgent
from tests.contract.listener import CONTEXT, KEY, Listener
from tests.contract.realtime_service import RealtimeService, Session

Settings = Mapping[str, str | SecretStr]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


def backend_for(
    url: str, http: aiohttp.ClientSession, open_budget_s: float = 5.0, settings: Settings | None = None
) -> OpenAIRealtimeBackend:
    fields = {
        "backend": "openai_realtime",
        "url": url,
        "model": "gpt test",
        "api_key": SecretStr(KEY),
        "audio": "pcmu",
        "greeting": "Say hello.",
    }
    agent = OpenAIRealtimeAgent.model_validate(fields | dict(settings or {}))
    return OpenAIRealtimeBackend(agent, CONTEXT, http, open_budget_s=open_budget_s)


async def opened(
    service: RealtimeService, http: aiohttp.ClientSession, **settings: str | SecretStr
) -> tuple[OpenAIRealtimeBackend, Session, Listener]:
    backend, listener = backend_for(service.url, http, settings=settings), Listener()
    await backend.open(listener)
    return backend, await service.session(), listener


async def failure(backend: OpenAIRealtimeBackend) -> ai.BackendError:
    listener = Listener()
    with pytest.raises(ai.BackendError) as caught:
        await backend.open(listener)
    await backend.close()
    assert listener.events == []
    assert KEY not in str(caught.value)
    return caught.value


# ---- opening -------------------------------------------------------------------------------------


async def test_the_handshake_of_the_ga_protocol(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, _ = await opened(service, http)
        assert session.query == {"model": "gpt test"}
        assert session.headers["Authorization"] == f"Bearer {KEY}"
        assert "OpenAI-Beta" not in session.headers
        assert "permessage-deflate" not in session.headers.get("Sec-WebSocket-Extensions", "")
        assert [event["type"] for event in session.received] == ["session.update"]
        await backend.close()


@pytest.mark.parametrize(
    ("settings", "header"),
    [({"auth": "api-key"}, {"api-key": KEY}), ({"api_key": SecretStr("")}, {})],
)
async def test_other_keys(
    http: aiohttp.ClientSession, settings: dict[str, str | SecretStr], header: dict[str, str]
) -> None:
    async with RealtimeService() as service:
        backend, session, _ = await opened(service, http, **settings)
        assert "Authorization" not in session.headers
        assert {k: v for k, v in session.headers.items() if k.lower() == "api-key"} == header
        await backend.close()


async def test_a_query_of_the_url_is_kept(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend = backend_for(service.url + "?api-version=1&x=a%20b", http)
        await backend.open(Listener())
        session = await service.session()
        assert session.query == {"api-version": "1", "x": "a b", "model": "gpt test"}
        assert "api-version" not in backend.describe()
        await backend.close()


@pytest.mark.parametrize("greeting", ["Say hello.", ""])
async def test_a_greeting_is_asked_for_only_if_there_is_one(
    http: aiohttp.ClientSession, greeting: str
) -> None:
    async with RealtimeService() as service:
        backend, session, _ = await opened(service, http, greeting=greeting)
        backend.greet()
        # Control messages leave before audio.
        backend.send_audio(bytes(320))
        await session.message("input_audio_buffer.append")
        asked = [event["response"] for event in session.of_type("response.create")]
        assert asked == ([{"instructions": "Say hello."}] if greeting else [])
        await backend.close()


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_not_tried_again(http: aiohttp.ClientSession, status: int) -> None:
    async with RealtimeService(statuses=(status,) * 20) as service:
        error = await failure(backend_for(service.url, http))
        assert (error.kind, error.retryable) == ("refused", False)
        assert str(status) in str(error)
        assert service.url in str(error)
        assert service.handshakes == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_service_is_tried_again_until_it_takes_us(
    http: aiohttp.ClientSession, status: int
) -> None:
    async with RealtimeService(statuses=(status, status)) as service:
        backend, _, _ = await opened(service, http)
        assert service.handshakes == 3
        await backend.close()


@pytest.mark.parametrize(("status", "kind"), [(429, "refused"), (500, "unreachable"), (503, "unreachable")])
async def test_a_service_that_stays_busy_is_given_up_within_the_budget(
    http: aiohttp.ClientSession, status: int, kind: ai.FaultKind
) -> None:
    clock = asyncio.get_running_loop().time
    async with RealtimeService(statuses=(status,) * 100) as service:
        began = clock()
        error = await failure(backend_for(service.url, http, open_budget_s=0.6))
        assert clock() - began < 2.0
        assert error.retryable
        assert error.kind == kind
        assert str(status) in str(error)
        assert 2 <= service.handshakes <= 10


async def test_nobody_listens(http: aiohttp.ClientSession) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{unused.getsockname()[1]}/v1/realtime"
        error = await failure(backend_for(url, http, open_budget_s=0.4))
    assert (error.kind, error.retryable) == ("unreachable", True)
    assert "cannot connect" in str(error)


async def test_a_handshake_that_is_never_answered(http: aiohttp.ClientSession) -> None:
    async with RealtimeService(silent=True) as service:
        error = await failure(backend_for(service.url, http, open_budget_s=0.4))
    assert (error.kind, error.retryable) == ("unreachable", True)
    assert "no answer to the handshake" in str(error)


async def test_a_session_that_is_never_configured(http: aiohttp.ClientSession) -> None:
    async with RealtimeService(configures=False) as service:
        error = await failure(backend_for(service.url, http, open_budget_s=0.4))
    assert (error.kind, error.retryable) == ("unreachable", True)
    assert "not configured in time" in str(error)


async def test_a_session_that_the_service_does_not_want(http: aiohttp.ClientSession) -> None:
    async with RealtimeService(configures=False) as service:
        failing = asyncio.create_task(failure(backend_for(service.url, http)))
        session = await service.session()
        await session.message("session.update")
        await session.send(
            "error", error={"type": "invalid_request_error", "code": "x", "message": "bad voice"}
        )
        error = await failing
    assert (error.kind, error.retryable) == ("refused", False)
    assert "bad voice" in str(error)


@pytest.mark.parametrize("then", ["rubbish", "close", "binary"])
async def test_a_session_that_is_configured_and_lost_in_one_breath(
    http: aiohttp.ClientSession, then: str
) -> None:
    async with RealtimeService(configures=False) as service:
        failing = asyncio.create_task(failure(backend_for(service.url, http)))
        session = await service.session()
        await session.message("session.update")
        await session.send("session.updated", session={})
        match then:
            case "rubbish":
                await session.send_raw("<html>502 Bad Gateway</html>")
            case "binary":
                await session.send_raw(b"\x00\x01")
            case _:
                await session.close(1011)
        error = await failing
    assert error.kind == ("lost" if then == "close" else "protocol")


async def test_opening_can_be_given_up(http: aiohttp.ClientSession) -> None:
    async with RealtimeService(configures=False) as service:
        backend = backend_for(service.url, http)
        opening = asyncio.create_task(backend.open(Listener()))
        session = await service.session()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await backend.close()
        await session.until(lambda: session.ended)


# ---- losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012])
async def test_the_service_closes_in_the_middle(http: aiohttp.ClientSession, code: int) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        await session.close(code)
        lost = await listener.event(ai.BackendLost)
        assert (lost.error.kind, lost.error.retryable) == ("lost", True)
        assert str(code) in str(lost.error)
        await backend.close()


async def test_the_network_goes_away(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        session.cut()
        lost = await listener.event(ai.BackendLost)
        assert (lost.error.kind, lost.error.retryable) == ("lost", True)
        await backend.close()
        assert listener.events == [lost]


RUBBISH = [
    "<html>502 Bad Gateway</html>",
    "",
    "[]",
    '{"no": "type"}',
    '{"type": 7}',
    '{"type": "response.created"}',
    '{"type": "response.output_audio.delta", "item_id": "i", "delta": "====a"}',
    '{"type": "response.output_audio.delta", "item_id": "i", "delta": "\u00e4"}',
    '{"type": "response.output_audio.delta", "delta": "AAAA"}',
    '{"type": ' + '{"a":' * 5000,
    b"\x00binary",
]


async def test_a_message_that_is_too_long_ends_the_session_with_its_size(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        await session.send_raw(json.dumps({"type": "noise", "data": "x" * MAX_MESSAGE_BYTES}))
        lost = await listener.event(ai.BackendLost)
        assert str(MAX_MESSAGE_BYTES) in str(lost.error)
        await backend.close()


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
async def test_rubbish_ends_the_session_once(http: aiohttp.ClientSession, rubbish: str | bytes) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        await session.send_raw(rubbish)
        await session.send_raw(rubbish)
        await session.audio("item_1", bytes(160))
        lost = await listener.event(ai.BackendLost)
        assert (lost.error.kind, lost.error.retryable) == ("protocol", True)
        await backend.close()
        assert listener.events == [lost]
        assert listener.audio == []


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [("session_expired", "expired", True), ("insufficient_quota", "refused", False)],
)
async def test_errors_that_end_the_session(
    http: aiohttp.ClientSession, code: str, kind: str, retryable: bool
) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        await session.send("error", error={"type": "x", "code": code, "message": "no more"})
        lost = await listener.event(ai.BackendLost)
        assert (lost.error.kind, lost.error.retryable) == (kind, retryable)
        await backend.close()


async def test_other_errors_do_not(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        await session.send("error", error={"type": "invalid_request_error", "code": "x", "message": "what?"})
        await session.send("input_audio_buffer.speech_started", item_id="i")
        await listener.event(ai.SpeechStarted)
        assert listener.events == [ai.ServiceNotice("x", "what?"), ai.SpeechStarted("i")]
        await backend.close()


async def test_a_tool_result_is_answered_after_the_running_response(http: aiohttp.ClientSession) -> None:
    async with RealtimeService() as service:
        backend, session, listener = await opened(service, http)
        await session.send("response.created", response={"id": "r1"})
        await session.send("response.function_call_arguments.done", call_id="c1", name="x", arguments="{}")
        await listener.event(ai.FunctionCall)
        backend.send_tool_result("c1", '{"ok": true}')
        await session.message("conversation.item.create")
        assert session.of_type("response.create") == []
        await session.send("response.done", response={"id": "r1", "status": "completed"})
        await session.message("response.create")
        await backend.close()
