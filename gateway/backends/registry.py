"""Which class serves which `backend:` of the configuration, one line each."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.backends.contract import Backend, BackendContext
from gateway.backends.embedded_bot import embedded_bot
from gateway.backends.openai_live import OpenAILiveBackend
from gateway.backends.openai_realtime import OpenAIRealtimeBackend
from gateway.backends.twilio_media_streams import TwilioMediaStreamsBackend
from gateway.config.models import AgentConfig

BOT_SOCKET = "bot.sock"
"""Unix socket of the embedded bot, in the run directory."""

_HEALTH_TIMEOUT = aiohttp.ClientTimeout(total=2.0)

Tools = Sequence[dict[str, Any]]
Maker = Callable[[Any, BackendContext, aiohttp.ClientSession, Tools], Backend]
"""Makes a session of an agent's kind: its configuration, the call, HTTP to the world, the functions."""

EMBEDDED: Final = "bot"
"""The one kind that is reached over the unix socket."""

MAKERS: Final[Mapping[str, Maker]] = {
    "openai_realtime": OpenAIRealtimeBackend,
    "openai_live": OpenAILiveBackend,
    "twilio_media_streams": TwilioMediaStreamsBackend,
    EMBEDDED: embedded_bot,
}


class Backends:
    """Creates backend sessions; owns the HTTP sessions that they share."""

    def __init__(self, run_dir: Path, makers: Mapping[str, Maker] = MAKERS) -> None:
        self._makers = makers
        self._tcp = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._bot = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(run_dir / BOT_SOCKET), limit=0))

    def create(self, agent: AgentConfig, context: BackendContext, tools: Tools) -> Backend:
        """A session for one call, not opened yet."""
        http = self._bot if agent.backend == EMBEDDED else self._tcp
        return self._makers[agent.backend](agent, context, http, tools)

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
