"""A gateway whose agent says back whatever it hears: the simplest thing that proves a whole path."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.harness import GatewayProcess
from tests.integration.realtime_backend import RealtimeBackend

ECHO_STEPS = ("tone 1000 300", "hear 5", "silence 5")
"""For a softphone: hearing the tone again proves the path there and back."""


@asynccontextmanager
async def echo_gateway(
    *, audio: str = "auto", max_calls: int = 8, sections: Mapping[str, Any] | None = None, **agent: Any
) -> AsyncIterator[tuple[GatewayProcess, RealtimeBackend]]:
    """A running gateway and the service that its only agent uses; `agent`: more of its section."""
    async with (
        RealtimeBackend("echo") as backend,
        GatewayProcess(
            agents={"echo": backend.agent(audio=audio, **agent)},
            environment={"TEST_KEY": "sk-test-echo"},
            max_calls=max_calls,
            sections=sections,
        ) as gateway,
    ):
        yield gateway, backend
