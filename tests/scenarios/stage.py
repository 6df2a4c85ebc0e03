"""One call in memory: a caller who ticks every 20 ms, the call, and the services it opens."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import cycle
from types import TracebackType
from typing import Any, Self

from gateway.backends import contract as ai
from gateway.calls import checkpoint
from gateway.calls.call import Call, Plan
from gateway.calls.gate import Gate
from gateway.calls.journal import CallFacts, Journal
from gateway.config.barge_in import BargeInConfig
from gateway.config.models import AgentConfig, OpenAIRealtimeAgent
from gateway.config.tools import AgentTools
from gateway.core.call_state import CallState
from gateway.core.ids import CallId
from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from gateway.dialplan.runtime import CallControl, CallFactsView, TalkRequest
from gateway.legs.loopback import LoopbackLeg
from gateway.wire.card import LegState
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.surroundings import surroundings
from tests.scenarios.virtual_time import VirtualLoop
from tests.sounds import frames, samples, steady, voiced

AGENT = "receptionist"
TALK = TalkRequest(AGENT)


async def _talk(call: CallControl) -> None:
    await call.talk(TALK)


class Caller:
    """The person on the phone: speaks or keeps still, and hears."""

    def __init__(self, leg: LoopbackLeg) -> None:
        self._leg = leg
        rate_hz = leg.pcm_format.sample_rate_hz
        self.voice = cycle(frames(voiced(1000, rate_hz), leg.pcm_format))
        self._quiet = steady(0, 20, rate_hz)
        self.speaking = False
        self.sending = True
        """Whether packets come at all."""
        self.heard: list[int] = []
        """The loudest sample of each 20 ms."""

    async def live(self) -> None:
        """Tick for as long as the phone is not hung up."""
        clock = asyncio.get_running_loop().time
        began, ticks = clock(), 0
        while self._leg.state != "closed":
            ticks += 1
            await asyncio.sleep(began + ticks * 0.02 - clock())
            says = None if not self.sending else next(self.voice) if self.speaking else self._quiet
            frame = self._leg.peer.tick(says)
            self.heard.append(int(samples(frame).max()) if frame else 0)

    def heard_ms(self, value: int) -> int:
        """How long that sample value was heard."""
        return 20 * self.heard.count(value)


class Stage:
    """`async with Stage(...) as stage:` runs a call; the end of the block requires that nothing is left."""

    def __init__(
        self,
        openings: Iterable[Opening] = (),
        *,
        answer_budget_ms: int = 3000,
        leg: LoopbackLeg | None = None,
        journal: Journal | None = None,
        plan: Plan = _talk,
        first_talk: TalkRequest | None = TALK,
        gate: Gate | None = None,
        left: checkpoint.Standing | None = None,
        fallback: tuple[str, ...] = (),
        instructions: str = "",
        tools: AgentTools | None = None,
        barge_in: BargeInConfig | None = None,
        **around: Any,
    ) -> None:
        """`openings`: of the sessions, in order; later ones open well. `journal` and `left`: of a call
        that is taken over.

        `around`: keywords of `surroundings`.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.clock = loop.time
        self.leg = leg or LoopbackLeg(self.clock, rtp_timeout_s=20.0)
        self.caller = Caller(self.leg)
        self.backends: list[ScriptedBackend] = []
        self.journal = journal or Journal(self._facts(), self.clock)
        self._openings = iter(openings)
        self._opened = asyncio.Event()
        agent = OpenAIRealtimeAgent(
            backend="openai_realtime",
            answer_budget_ms=answer_budget_ms,
            fallback=list(fallback),
            instructions=instructions,
            tools=tools or AgentTools(),
            barge_in=barge_in or BargeInConfig(),
        )
        agents = {AGENT: agent} | dict.fromkeys(fallback, OpenAIRealtimeAgent(backend="openai_realtime"))
        self.journal.figures.agent = AGENT
        self.settings = surroundings(agents, self._make_backend, self.clock, **around)
        facts = CallFactsView(self.leg.kind, "inbound", "200", "100")
        self.call = Call(
            self.leg,
            facts,
            self.journal,
            self.settings,
            plan,
            first_talk=first_talk,
            gate=gate,
            left=left,
        )
        self._run: asyncio.Task[CallRecord] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._killed = False

    def _facts(self) -> CallFacts:
        return CallFacts(
            id=CallId("call_1"),
            kind=self.leg.kind,
            node="gw1",
            sip_call_id="abc@phone",
            from_number="100",
            to_number="200",
            peer="udp:192.0.2.1:5060",
            card=self.leg.address[0],
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            started_s=self.clock(),
        )

    def _make_backend(
        self, _agent: AgentConfig, context: ai.BackendContext, _tools: tuple[dict[str, Any], ...]
    ) -> ai.Backend:
        backend = ScriptedBackend(context, next(self._openings, Opening()))
        self.backends.append(backend)
        self._opened.set()
        return backend

    async def __aenter__(self) -> Self:
        self._run = asyncio.create_task(self.call.run(), name="call")
        self._ticking = asyncio.create_task(self.caller.live(), name="caller")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._run is not None
        assert self._ticking is not None
        if error is not None:
            self._run.cancel()
            self._ticking.cancel()
            await asyncio.gather(self._run, self._ticking, return_exceptions=True)
            return
        if self._killed:
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return
        assert self._run.done(), "the scenario ended before its call"
        await self._ticking
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not self.loop.unhandled
        assert all(backend.closed for backend in self.backends)
        assert self.leg.state == "closed"
        assert self.call.state is CallState.ENDED

    async def kill(self) -> None:
        """The core dies in the middle of the call; the leg and its playout live on."""
        assert self._run is not None
        assert self._ticking is not None
        self._killed = True
        self.leg.abandon()
        self._run.cancel()
        self._ticking.cancel()
        await asyncio.gather(self._run, self._ticking, return_exceptions=True)

    # ---- time ---------------------------------------------------------------------------------

    async def later(self, duration_ms: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(duration_ms / 1000)

    async def session(self, count: int = 1) -> ScriptedBackend:
        """The `count`-th backend, once the call has made it."""
        while len(self.backends) < count:
            self._opened.clear()
            await self._opened.wait()
        return self.backends[count - 1]

    async def talking(self) -> ScriptedBackend:
        """The first backend, once it was asked to greet."""
        backend = await self.session()
        await backend.until_told("greet")
        return backend

    async def over(self, within_s: float = 120.0) -> CallRecord:
        """The call's record."""
        assert self._run is not None
        async with asyncio.timeout(within_s):
            return await asyncio.shield(self._run)

    def phone(self) -> LegState:
        """State of the caller's leg."""
        return self.leg.state

    # ---- what was written down ----------------------------------------------------------------

    def kinds(self) -> list[TimelineKind]:
        """Timeline so far, in order of time."""
        return [event.kind for event in sorted(self.journal.events, key=lambda event: event.at_ms)]

    def events(self, kind: TimelineKind) -> list[TimelineEvent]:
        """Entries of one kind."""
        return [event for event in self.journal.events if event.kind is kind]


def successor(stage: Stage, **more: Any) -> Stage:
    """The call of a core that was killed, taken over from what it left with the leg."""
    kept = checkpoint.unpack(stage.leg.kept)
    journal = Journal(checkpoint.facts_of(kept), stage.clock)
    checkpoint.restore(journal, kept)
    return Stage(leg=stage.leg, journal=journal, left=checkpoint.standing_of(kept), **more)
