"""Which class serves which `backend:` of the configuration, one line each."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from gateway.backends.contract import Backend, BackendContext
from gateway.backends.openai_realtime import OpenAIRealtimeBackend
from gateway.config.models import AgentConfig, BotAgent, OpenAIRealtimeAgent

BOT_SOCKET = "bot.sock"
"""Unix socket of the embedded bot, in the run directory."""

_BOT_SILENCE_MS = 300
_HEALTH_TIMEOUT = aiohttp.ClientTimeout(total=2.0)

Tools = Sequence[dict[str, Any]]


class Backends:
    """Creates backend sessions; owns the HTTP sessions that they share."""

    def __init__(self, run_dir: Path) -> None:
        self._bot_socket = run_dir / BOT_SOCKET
        self._tcp = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._bot = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self._bot_socket), limit=0))
        self._makers: dict[str, Callable[[Any, BackendContext, Tools], Backend]] = {
            "openai_realtime": self._openai_realtime,
            "bot": self._embedded_bot,
        }

    def create(self, agent: AgentConfig, context: BackendContext, tools: Tools) -> Backend:
        """A session for one call, not opened yet."""
        return self._makers[agent.backend](agent, context, tools)

    def _openai_realtime(self, agent: OpenAIRealtimeAgent, context: BackendContext, tools: Tools) -> Backend:
        return OpenAIRealtimeBackend(agent, context, self._tcp, tools)

    def _embedded_bot(self, agent: BotAgent, context: BackendContext, tools: Tools) -> Backend:
        """The bot speaks the Realtime protocol; its dialogue has greeting, turns and tools in itself."""
        as_service = OpenAIRealtimeAgent(
            backend="openai_realtime",
            url="ws://embedded/v1/realtime",
            model=context.agent,
            audio=agent.audio,
            turn_silence_ms=_BOT_SILENCE_MS,
            transcription_model="embedded",
        )
        return OpenAIRealtimeBackend(as_service, context, self._bot, (), speaks_first=True)

    async def bot_answers(self) -> bool:
        """Whether the embedded bot accepts connections."""
        try:
            async with self._bot.get("http://embedded/healthz", timeout=_HEALTH_TIMEOUT) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async def close(self) -> None:
        """Close the shared sessions."""
        await self._tcp.close()
        await self._bot.close()
