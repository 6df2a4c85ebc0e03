"""Which backend an agent of the configuration gets."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from aiohttp import web
from pydantic import TypeAdapter

from gateway.backends.contract import Backend, BackendContext
from gateway.backends.registry import BOT_SOCKET, MAKERS, Backends, Tools
from gateway.config.agent_base import AgentBase
from gateway.config.agents_more import OpenAILiveAgent, TwilioMediaStreamsAgent
from gateway.config.models import AgentConfig, BotAgent, OpenAIRealtimeAgent
from tests.contract.listener import CONTEXT, Listener
from tests.scenarios.scripted_backend import Opening, ScriptedBackend


@pytest.fixture
async def run_dir() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        yield Path(directory)


@pytest.fixture
async def backends(run_dir: Path) -> AsyncIterator[Backends]:
    made = Backends(run_dir)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("agent", "described"),
    [
        (OpenAIRealtimeAgent(backend="openai_realtime", url="wss://x.example/v1?y=1"), "wss://x.example/v1 "),
        (OpenAILiveAgent(backend="openai_live", url="wss://x.example/v1?y=1"), "wss://x.example/v1 "),
        (TwilioMediaStreamsAgent(backend="twilio_media_streams", url="ws://x.example/ws?y"), "x.example/ws "),
        (BotAgent(backend="bot"), "ws://embedded/v1/realtime model receptionist"),
    ],
)
async def test_every_kind_of_agent_has_a_backend(
    backends: Backends, agent: AgentConfig, described: str
) -> None:
    backend = backends.create(agent, CONTEXT, ())
    assert described in backend.describe()
    await backend.close()


def test_every_kind_of_the_configuration_is_in_the_table() -> None:
    schema = TypeAdapter(AgentConfig).json_schema()
    assert set(schema["discriminator"]["mapping"]) == set(MAKERS)


class ToyAgent(AgentBase):
    """A kind of agent that comes with this test."""

    backend: Literal["toy"]


def toy(_agent: ToyAgent, context: BackendContext, _http: aiohttp.ClientSession, _tools: Tools) -> Backend:
    return ScriptedBackend(context, Opening(takes_s=0.0))


async def test_a_new_kind_takes_one_line(run_dir: Path) -> None:
    backends = Backends(run_dir, {**MAKERS, "toy": toy})
    agent: Any = ToyAgent(backend="toy")
    backend, listener = backends.create(agent, CONTEXT, ()), Listener()
    await backend.open(listener)
    assert backend.describe() == "scripted service"
    await backends.close()


@pytest.mark.parametrize(("status", "answers"), [(200, True), (503, False), (None, False)])
async def test_whether_the_bot_answers(
    backends: Backends, run_dir: Path, status: int | None, answers: bool
) -> None:
    async def healthz(_: web.Request) -> web.Response:
        return web.Response(status=status or 500)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    runner = web.AppRunner(app)
    await runner.setup()
    if status is not None:
        await web.UnixSite(runner, str(run_dir / BOT_SOCKET)).start()
    assert await backends.bot_answers() is answers
    await runner.cleanup()
