"""The bot's process: bad clients, many clients, limits, and how it comes and goes."""

import asyncio
import base64
import json
import os
import signal
import socket as socket_module
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.bot.protocol import AUDIO_MAX_BYTES
from gateway.bot.server import MESSAGE_MAX_BYTES
from gateway.config.models import GatewayConfig
from tests.integration.bot.bot_process import BotProcess, configured_bot, running_bot
from tests.integration.bot.caller import PHONE, calling


@pytest.fixture
async def bot() -> AsyncIterator[BotProcess]:
    async with running_bot() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next event of a type."""
    async with asyncio.timeout(10):
        while True:
            event: dict[str, Any] = await socket.receive_json()
            if event["type"] == kind:
                return event


TOO_MUCH_AUDIO = base64.b64encode(bytes(AUDIO_MAX_BYTES + 1)).decode()
BAD_MESSAGES = {
    "{": "invalid_json",
    "null": "invalid_value",
    json.dumps({"type": "no.such.event"}): "invalid_value",
    json.dumps({"type": "input_audio_buffer.append", "audio": "***"}): "invalid_value",
    json.dumps({"type": "input_audio_buffer.append", "audio": TOO_MUCH_AUDIO}): "invalid_value",
    json.dumps({"type": "input_audio_buffer.commit"}): "input_audio_buffer_commit_empty",
    json.dumps({"type": "response.cancel"}): "response_cancel_not_active",
    json.dumps(
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 5}
    ): "item_truncate_invalid_item_id",
}


async def test_bad_events_are_errors_and_the_session_goes_on(
    bot: BotProcess, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(f"{bot.url}/realtime?model=x") as socket:
        await until(socket, "session.created")
        for message, code in BAD_MESSAGES.items():
            await socket.send_str(message)
            assert (await until(socket, "error"))["error"]["code"] == code
        await socket.send_bytes(b"\xff\xfe\x00")
        assert (await until(socket, "error"))["error"]["code"] == "invalid_json"
        await socket.send_json({"type": "session.update", "session": PHONE})
        await until(socket, "session.updated")


async def test_a_message_beyond_all_limits_closes_only_its_own_session(
    bot: BotProcess, http: aiohttp.ClientSession
) -> None:
    async with (
        http.ws_connect(f"{bot.url}/realtime?model=x") as good,
        http.ws_connect(f"{bot.url}/realtime?model=x") as bad,
    ):
        await until(good, "session.created")
        await until(bad, "session.created")
        with suppress(ConnectionError, aiohttp.ClientError):
            # The bot may hang up before all of it has been sent.
            await bad.send_str(" " * (MESSAGE_MAX_BYTES + 1))
        async with asyncio.timeout(10):
            closed = await bad.receive()
        assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        await good.send_json({"type": "response.create"})
        await until(good, "response.done")


async def test_a_client_that_vanishes_leaves_nothing_behind(
    bot: BotProcess, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(f"{bot.url}/realtime?model=x") as socket:
        await until(socket, "session.created")
        await socket.send_json({"type": "response.create"})
        await until(socket, "response.output_audio.delta")
        health = f"{bot.url.replace('ws:', 'http:').removesuffix('/v1')}/healthz"
        async with http.get(health) as answer:
            assert (await answer.json())["sessions"] == 1
        # Gone without a closing handshake, in the middle of an answer.
        transport = socket.get_extra_info("socket")
        assert transport is not None
        transport.shutdown(socket_module.SHUT_RDWR)
    sessions = 1
    async with asyncio.timeout(10):
        while sessions:
            async with http.get(health) as answer:
                sessions = (await answer.json())["sessions"]


async def test_a_long_append_does_not_hold_up_others(bot: BotProcess, http: aiohttp.ClientSession) -> None:
    minute = base64.b64encode(b"\xff" * 8000 * 60).decode()
    async with (
        http.ws_connect(f"{bot.url}/realtime?model=x") as heavy,
        http.ws_connect(f"{bot.url}/realtime?model=x") as light,
    ):
        for socket in (heavy, light):
            await until(socket, "session.created")
            await socket.send_json({"type": "session.update", "session": PHONE})
            await until(socket, "session.updated")
        await heavy.send_json({"type": "input_audio_buffer.append", "audio": minute})
        await heavy.send_json({"type": "session.update", "session": PHONE})
        first = asyncio.create_task(until(heavy, "session.updated"))
        await light.send_json({"type": "response.create"})
        await until(light, "response.output_audio.delta")
        assert not first.done()
        await first


async def test_the_model_names_are_those_of_the_configuration(http: aiohttp.ClientSession) -> None:
    config = GatewayConfig.model_validate({"agents": {"desk": {"backend": "bot"}}, "sip": {"max_calls": 1}})
    with tempfile.TemporaryDirectory(prefix="bot") as directory:
        path = Path(directory) / "bot.sock"
        with socket_module.socket(socket_module.AF_UNIX) as left_over:
            left_over.bind(str(path))
        async with (
            configured_bot(config, path) as process,
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as unix,
        ):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await unix.ws_connect("ws://bot/v1/realtime?model=nobody")
            assert caught.value.status == 404
            async with unix.ws_connect("ws://bot/v1/realtime?model=desk") as socket:
                await until(socket, "session.created")
            # Ctrl-C in the terminal is not for the bot.
            process.send_signal(signal.SIGINT)
            async with unix.ws_connect("ws://bot/v1/realtime?model=desk") as socket:
                await until(socket, "session.created")
                process.terminate()
                async with asyncio.timeout(10):
                    assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
                    assert await process.wait() == 0
            assert not path.exists()


async def test_sessions_are_limited() -> None:
    config = GatewayConfig.model_validate({"agents": {"desk": {"backend": "bot"}}, "sip": {"max_calls": 1}})
    with tempfile.TemporaryDirectory(prefix="bot") as directory:
        path = Path(directory) / "bot.sock"
        connector = aiohttp.UnixConnector(str(path), limit=0)
        async with configured_bot(config, path), aiohttp.ClientSession(connector=connector) as unix:
            sockets = [await unix.ws_connect("ws://bot/v1/realtime?model=desk") for _ in range(17)]
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await unix.ws_connect("ws://bot/v1/realtime?model=desk")
            assert caught.value.status == 503
            for socket in sockets:
                await socket.close()


async def test_the_bot_leaves_when_its_parent_is_gone() -> None:
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory(prefix="bot") as directory:
        path = Path(directory) / "bot.sock"
        async with configured_bot(GatewayConfig(), path, lifeline=reader) as process:
            os.close(reader)
            os.close(writer)
            async with asyncio.timeout(10):
                assert await process.wait() == 0


async def test_a_faulty_dialogue_is_told_with_its_places(tmp_path: Path) -> None:
    dialogue = tmp_path / "d.yaml"
    dialogue.write_text("greeting: Hello.\nstart: nowhere\nintents: {}\nstates: {a: {ask: Well?}}\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.bot", "--no-config", "--listen", "127.0.0.1:0"),
        *("--dialogue", str(dialogue)),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert f"{dialogue}:2:8: start" in json.loads(err)["error"]


async def test_a_port_in_use_is_one_clear_line(bot: BotProcess) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.bot", "--no-config", "--listen", f"127.0.0.1:{bot.port}"),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, err = await process.communicate()
    assert process.returncode == 1
    assert f"127.0.0.1:{bot.port}" in json.loads(err)["error"]


async def test_formats_change_within_a_session(bot: BotProcess) -> None:
    async with calling(bot.url) as caller:
        sizes = {}
        for kind, rate in (("audio/pcm", {"rate": 24000}), ("audio/pcma", {}), ("audio/pcmu", {})):
            output = {"output": {"format": {"type": kind, **rate}}}
            session: Any = {"type": "realtime", "audio": output}
            await caller.connection.session.update(session=session)
            await caller.connection.response.create()
            delta = await caller.until("response.output_audio.delta")
            sizes[kind] = len(base64.b64decode(delta["delta"]))
            await caller.until("response.done")
    assert sizes == {"audio/pcm": 4800, "audio/pcma": 800, "audio/pcmu": 800}
