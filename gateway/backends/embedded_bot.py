"""The embedded bot as a backend: the Realtime protocol over a unix socket."""

from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from gateway.backends.contract import BackendContext
from gateway.backends.openai_realtime import OpenAIRealtimeBackend
from gateway.config.models import BotAgent, OpenAIRealtimeAgent

_SILENCE_MS: Final = 300


def embedded_bot(
    agent: BotAgent, context: BackendContext, http: aiohttp.ClientSession, _tools: Sequence[dict[str, Any]]
) -> OpenAIRealtimeBackend:
    """A session with the bot, whose dialogue has greeting, turns and tools in itself."""
    as_service = OpenAIRealtimeAgent(
        backend="openai_realtime",
        url="ws://embedded/v1/realtime",
        model=context.agent,
        audio=agent.audio,
        turn_silence_ms=_SILENCE_MS,
        barge_in=agent.barge_in,
        transcription_model="embedded",
    )
    return OpenAIRealtimeBackend(as_service, context, http, (), speaks_first=True)
