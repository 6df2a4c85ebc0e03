"""What a call stands on, for calls in virtual time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.backends import contract as ai
from gateway.calls.agent_link import Breakers
from gateway.calls.callbacks import CallbackDesk, NoCallbacks
from gateway.calls.dialling import Dialler
from gateway.calls.line.ladders import Ladders
from gateway.calls.parts import CallSettings
from gateway.calls.queues import CallQueues
from gateway.calls.ticker import Ticker
from gateway.calls.tool_http import HttpTools
from gateway.config.models import AgentConfig, GatewayConfig
from gateway.config.tools import HttpToolConfig
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.runtime import HttpReply, HttpRequest, Prompt, Say
from gateway.dialplan.surroundings import surroundings_of
from gateway.media.sounds import SoundError
from tests.scenarios.telephones import NoDialler
from tests.sounds import steady

APOLOGY = 3000
"""Sample value of the apology, which lasts a second."""


FILLER = 3300
"""Sample value of what is said when something takes time, half a second."""


class SteadySounds:
    """Every prompt is a steady value for a while: `{"menu": (1500, 400)}` is 400 ms of 1500."""

    def __init__(self, prompts: Mapping[str, tuple[int, int]]) -> None:
        self._prompts = prompts

    async def pcm(self, prompt: Prompt, sample_rate_hz: int) -> bytes:
        """As the protocol says; unknown ones cannot be read."""
        name = prompt.text if isinstance(prompt, Say) else prompt.path.stem
        if name not in self._prompts:
            raise SoundError(f"there is no sound {name}")
        value, duration_ms = self._prompts[name]
        return steady(value, duration_ms * sample_rate_hz // 8000)

    def filler(self, _language: str, sample_rate_hz: int) -> bytes:
        """Half a second."""
        return steady(FILLER, 500 * sample_rate_hz // 8000)

    def apology(self, _language: str, sample_rate_hz: int) -> bytes:
        """A second."""
        return steady(APOLOGY, 1000 * sample_rate_hz // 8000)


@dataclass(frozen=True, slots=True)
class Slow:
    """An answer that takes its time."""

    takes_s: float
    reply: HttpReply | Exception


Reply = HttpReply | Slow | Exception


class ScriptedHttp:
    """Answers by URL, or with a failure; of several in a row the last one goes on."""

    def __init__(self, replies: Mapping[str, Reply | Sequence[Reply]]) -> None:
        self._replies = {
            url: [reply] if isinstance(reply, Reply) else list(reply) for url, reply in replies.items()
        }
        self.asked: list[HttpRequest] = []
        self.told: list[HttpRequest] = []

    async def ask(self, request: HttpRequest) -> HttpReply:
        """As the protocol says."""
        self.asked.append(request)
        replies = self._replies[request.url]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Slow):
            await asyncio.sleep(reply.takes_s)
            reply = reply.reply
        if isinstance(reply, Exception):
            raise reply
        return reply

    def tell(self, request: HttpRequest) -> None:
        """Remember it."""
        self.told.append(request)


async def at_once(work: Callable[[], None], /) -> None:
    """The disk takes no virtual time."""
    work()


def surroundings(
    agents: Mapping[str, AgentConfig],
    make_backend: Callable[[AgentConfig, ai.BackendContext, tuple[dict[str, Any], ...]], ai.Backend],
    clock: Callable[[], float],
    *,
    prompts: Mapping[str, tuple[int, int]] | None = None,
    http: Mapping[str, Reply | Sequence[Reply]] | None = None,
    http_tools: Mapping[str, HttpToolConfig] | None = None,
    dialler: Dialler | None = None,
    queues: CallQueues | None = None,
    callbacks: CallbackDesk | None = None,
    recordings: Path | None = None,
    ladders: Ladders | None = None,
) -> CallSettings:
    """Settings for calls on a virtual loop."""
    return CallSettings(
        agents=agents,
        make_backend=make_backend,
        breakers=Breakers(),
        sounds=SteadySounds(prompts or {}),
        dialler=dialler or NoDialler(),
        http=ScriptedHttp(http or {}),
        http_tools=HttpTools(http_tools or {}),
        queues=queues or CallQueues(),
        callbacks=callbacks or NoCallbacks(),
        ticker=Ticker(),
        clock=clock,
        recordings=recordings or Path("recordings"),
        ladders=ladders or Ladders(),
        in_thread=at_once,
    )


def dialplan(text: str, config: GatewayConfig) -> Dialplan:
    """A plan of one file."""
    with TemporaryDirectory() as directory:
        (Path(directory) / "main.yaml").write_text(text)
        return load_dialplan(Path(directory), surroundings_of(config))
