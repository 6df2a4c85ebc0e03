"""What the parts of a call share."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gateway.calls.agent import AgentDialogue
from gateway.calls.agent_link import Breakers, MakeBackend
from gateway.calls.bridge import Bridge
from gateway.calls.callbacks import CallbackDesk, NoCallbacks
from gateway.calls.dialling import Dialler
from gateway.calls.events import CallEvents
from gateway.calls.journal import Journal
from gateway.calls.line.ladders import Ladders
from gateway.calls.queues import CallQueues
from gateway.calls.ticker import Ticker
from gateway.calls.tool_http import HttpTools
from gateway.config.models import AgentConfig
from gateway.core.call_state import CallState
from gateway.dialplan.runtime import HttpReply, HttpRequest, Prompt
from gateway.legs.contract import Leg


class InThread(Protocol):
    """As `asyncio.to_thread`, for work without arguments."""

    def __call__(self, work: Callable[[], None], /) -> Awaitable[None]:
        """Do it; raises what the work raises."""


class Sounds(Protocol):
    """Where prompts come from."""

    async def pcm(self, prompt: Prompt, sample_rate_hz: int) -> bytes:
        """PCM of a prompt. Raises `LocalError` when it cannot be read or spoken."""

    def filler(self, language: str, sample_rate_hz: int) -> bytes:
        """What is said when something takes time; PCM."""

    def apology(self, language: str, sample_rate_hz: int) -> bytes:
        """What is said when nothing else can be; PCM."""


class HttpClient(Protocol):
    """Asks services of the operator's."""

    async def ask(self, request: HttpRequest) -> HttpReply:
        """Raises `StepFailedError` of the kinds timeout and error."""

    def tell(self, request: HttpRequest) -> None:
        """Send it some time soon; failures are logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """What a call needs from the outside; the same for all calls but for the agents' names."""

    agents: Mapping[str, AgentConfig]
    make_backend: MakeBackend
    breakers: Breakers
    sounds: Sounds
    dialler: Dialler
    http: HttpClient
    http_tools: HttpTools = field(default_factory=lambda: HttpTools({}))
    queues: CallQueues
    callbacks: CallbackDesk = field(default_factory=NoCallbacks)
    ticker: Ticker
    clock: Callable[[], float]
    """CLOCK_MONOTONIC seconds."""
    wall_clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    recordings: Path
    """Directory of recordings."""
    mix_rate_hz: int = 16000
    ladders: Ladders = field(default_factory=Ladders)
    """What bad networks are answered with."""
    in_thread: InThread = asyncio.to_thread
    """Carries out work that waits for the disk."""


@dataclass(frozen=True, slots=True)
class CallParts:
    """What the verbs of one call work with."""

    leg: Leg
    """The caller's."""
    journal: Journal
    events: CallEvents
    bridge: Bridge
    agent: AgentDialogue
    settings: CallSettings
    enter: Callable[[CallState], None]
    keep: Callable[[], None]
    """Leaves the call's state for a core that comes after this one."""
