"""Which backend an agent of the configuration gets."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from gateway.backends.registry import BOT_SOCKET, Backends
from gateway.config.models import AgentConfig, BotAgent, OpenAIRealtimeAgent
from tests.contract.services import CONTEXT


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
        (BotAgent(backend="bot"), "ws://embedded/v1/realtime model receptionist"),
    ],
)
async def test_every_kind_of_agent_has_a_backend(
    backends: Backends, agent: AgentConfig, described: str
) -> None:
    backend = backends.create(agent, CONTEXT, ())
    assert described in backend.describe()
    await backend.close()


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
