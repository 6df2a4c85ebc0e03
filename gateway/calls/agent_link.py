"""A call's connection to its agent: keeps it alive, and finds another agent when it cannot be.

`gateway.core.health.agent_watch` looks at the connection and says what is to be done; it is done here.
"""

import asyncio
from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from gateway.backends import contract as ai
from gateway.calls.agent_line import AgentLine
from gateway.calls.agent_session import AgentSession
from gateway.calls.breakers import Breakers as Breakers
from gateway.calls.events import BackendSettled, CallEvents, EndRequested
from gateway.calls.journal import Journal
from gateway.calls.tools import ToolSet
from gateway.config.models import AgentConfig
from gateway.core.health.agent_watch import AgentReading, AgentStep, AgentWatch, SessionLost, WatchSettings
from gateway.core.record import TimelineKind
from gateway.core.termination import Reason
from gateway.dialplan.runtime import StepFailedError
from gateway.observe.log import get_logger

LOOK_S: Final = 0.25
"""How often the connection is looked at."""
_FILLER_AFTER_S: Final = 0.6
"""A session that is back sooner is not worth a word."""
_STEADY_S: Final = 10.0
"""A session that is lost again sooner after a reconnect is not tried again."""
_LONELY_FROZEN_S: Final = 3.0
"""Without a standby a service may hang for longer: opening it anew rarely helps."""

MakeBackend = Callable[[AgentConfig, ai.BackendContext, tuple[dict[str, Any], ...]], ai.Backend]

log = get_logger()


class AgentLostError(StepFailedError):
    """The agent's service is of no use, nor are those of its fallbacks."""

    def __init__(self, error: ai.BackendError) -> None:
        super().__init__("backend_down", str(error))
        self.error = error


class AgentLink:
    """The backend side of one call."""

    def __init__(
        self,
        line: AgentLine,
        events: CallEvents,
        journal: Journal,
        agents: Mapping[str, AgentConfig],
        make_backend: MakeBackend,
        breakers: Breakers,
        clock: Callable[[], float],
        play_filler: Callable[[], None],
    ) -> None:
        """`play_filler`: tell the caller that it takes a moment."""
        self._line = line
        self._events = events
        self._journal = journal
        self._agents = agents
        self._make_backend = make_backend
        self._breakers = breakers
        self._clock = clock
        self._play_filler = play_filler
        self._log = log.bind(call_id=journal.facts.id)
        self._wanted = ""
        self._tools = ToolSet()
        self._variables: MutableMapping[str, str] = {}
        self._fallbacks: list[str] = []
        self._current: AgentSession | None = None
        self._standby: AgentSession | None = None
        self._watch: AgentWatch | None = None
        self._failure: ai.BackendError | None = None
        self._opened_at: float | None = None
        self._again = False
        self._narrow: set[str] = set()
        """Agents whose connection was found slow."""
        self._filler_at: float | None = None
        self._look_at = 0.0
        self._closing: set[asyncio.Task[None]] = set()
        self.on_restored: Callable[[ai.Backend, bool], None] = lambda _backend, _new: None
        """Told when the conversation can go on; whether by another agent's session or by a new one."""
        self.on_interrupted: Callable[[], None] = lambda: None
        """Told when the session is lost."""

    @property
    def name(self) -> str:
        """Agent that was asked for; empty while there is none."""
        return self._wanted

    @property
    def backend(self) -> ai.Backend | None:
        """The session that serves the call; None while there is none."""
        current = self._current
        return current.backend if current is not None and current.opened else None

    @property
    def hung_up(self) -> bool:
        """Whether the agent has ended the conversation."""
        return self._current is not None and self._current.hung_up

    @property
    def settled(self) -> bool:
        """Whether opening has succeeded or failed for good."""
        return self.backend is not None or self._failure is not None or self.hung_up

    def serves(self, name: str, tools: ToolSet) -> bool:
        """Whether this agent is connected, or being so, with these functions."""
        usable = self._failure is None and not self.hung_up
        return name == self._wanted and usable and tools.names == self._tools.names

    # ---- opening and closing ------------------------------------------------------------------

    def start(self, name: str, variables: MutableMapping[str, str], tools: ToolSet) -> None:
        """Begin to connect an agent, unless it is the one that is connected.

        `variables`: the call's own, which steps go on to fill.
        """
        if self.serves(name, tools):
            self._tools = tools
            return
        if self._wanted:
            raise AssertionError("the agent before was not released")
        self._wanted, self._variables, self._tools = name, variables, tools
        self._fallbacks = [other for other in self._agents[name].fallback if other in self._agents]
        self._failure = self._watch = self._opened_at = self._filler_at = None
        self._again, self._look_at = False, 0.0
        self._narrow.clear()
        self._begin(name)

    def _begin(self, name: str) -> None:
        self._journal.figures.agent = name
        self._current = self._session(name)

    def _session(self, name: str) -> AgentSession:
        config, facts = self._agents[name], self._journal.facts
        context = ai.BackendContext(
            call_id=facts.id,
            agent=name,
            pcm_format=self._line.pcm_format,
            variables=ChainMap(self._variables, {"from": facts.from_number, "to": facts.to_number}),
            narrow=name in self._narrow,
        )
        backend = self._make_backend(config, context, self._tools.schemas)
        self._journal.note(TimelineKind.BACKEND_CONNECTING, backend=backend.describe())
        session = AgentSession(
            name, config, backend, self._breakers.of(name), self._clock, self._on_settled, self._on_lost
        )
        session.crashed = lambda: self._events.post(EndRequested(Reason.INTERNAL_ERROR))
        session.open(self._journal.conversation.utterances, f"open backend of {facts.id}")
        return session

    async def opened(self) -> ai.Backend:
        """The backend, once it is open. Raises `AgentLostError`."""
        while (backend := self.backend) is None:
            if self._failure is not None:
                raise AgentLostError(self._failure)
            if self.hung_up:
                raise AgentLostError(ai.BackendError("lost", "the agent has hung up", retryable=False))
            await self._events.next(None)
        return backend

    async def release(self) -> None:
        """Close everything, or stop opening it."""
        self._line.disconnect()
        sessions = [session for session in (self._current, self._standby) if session is not None]
        self._current = self._standby = self._watch = self._failure = None
        self._wanted = ""
        for session in sessions:
            await session.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    # ---- what happens to sessions -------------------------------------------------------------

    def _on_settled(self, session: AgentSession) -> None:
        if session.failure is not None:
            self._fault(session.name, session.failure)
            self._drop(session)
        else:
            self._journal.note(TimelineKind.BACKEND_READY, took_ms=session.took_ms, agent=session.name)
        if session is self._standby:
            self._handle("standby_ready" if session.opened else "standby_failed")
        elif session is self._current:
            self._settle(session)
        self._events.post(BackendSettled())

    def _settle(self, session: AgentSession) -> None:
        if session.opened:
            self._serve(session)
            if self._watch is None:
                self._watch = AgentWatch(self._watch_settings(), self._clock())
            else:
                self._handle("reconnected")
        elif self._watch is not None:
            self._handle("reconnect_failed")
        elif self._fallbacks:
            self._take_fallback(self._fallbacks.pop(0))
        else:
            self._failure = session.failure

    def _watch_settings(self) -> WatchSettings:
        if not self._fallbacks:
            return WatchSettings(can_narrow=True, frozen_after_s=_LONELY_FROZEN_S)
        return WatchSettings(can_narrow=True, standbys=len(self._fallbacks))

    def _take_fallback(self, name: str) -> None:
        self._journal.note(TimelineKind.FALLBACK, agent=name)
        self._begin(name)

    def _serve(self, session: AgentSession) -> None:
        again = self._opened_at is not None
        self._opened_at = self._clock()
        session.serving = self._line
        session.catch_up(self._journal.conversation.utterances)
        self._line.connect(session.backend, session.config.barge_in)
        if again:
            self.on_restored(session.backend, session.name != self._wanted)

    def _on_lost(self, session: AgentSession, error: ai.BackendError) -> None:
        if not session.hung_up:
            self._fault(session.name, error)
        self._drop(session)
        if session is self._standby:
            self._standby = None
            self._handle("standby_failed")
        elif session is self._current and session.hung_up:
            self._line.disconnect()
        elif session is self._current:
            self._line.disconnect()
            self.on_interrupted()
            now = self._clock()
            steady = not self._again or (self._opened_at is not None and now - self._opened_at >= _STEADY_S)
            self._handle(SessionLost(error.retryable and steady, error.kind == "protocol"), error)
        self._events.post(BackendSettled())

    def _fault(self, agent: str, error: ai.BackendError) -> None:
        """Log and note that a backend is of no use."""
        self._log.warning(
            "backend fault", agent=agent, fault=error.kind, error=str(error), retryable=error.retryable
        )
        self._journal.note(
            TimelineKind.BACKEND_FAULT,
            fault=error.kind,
            detail=str(error),
            retryable=error.retryable,
            agent=agent,
        )

    def give_up(self, error: ai.BackendError) -> None:
        """The service answers, but not with anything of use."""
        self._fault(self._wanted, error)
        current = self._current
        if current is not None:
            self._line.disconnect()
            self._drop(current)
            current.opened, current.failure = False, error
            self._breakers.of(current.name).failed(self._clock())
        self._handle(SessionLost(error.retryable), error)

    def _drop(self, session: AgentSession) -> None:
        task = asyncio.create_task(session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # ---- watching -----------------------------------------------------------------------------

    def next_look(self) -> float | None:
        """When `look` wants to be called."""
        if self._watch is None or self._failure is not None:
            return None
        times = (self._look_at, self._filler_at, self._watch.next_deadline())
        return min(time for time in times if time is not None)

    def look(self) -> None:
        """Measure, and do what is due. Raises `AgentLostError` when nothing helps any more."""
        now, watch = self._clock(), self._watch
        if self._failure is not None:
            raise AgentLostError(self._failure)
        if watch is None:
            return
        if self._filler_at is not None and now >= self._filler_at:
            self._filler_at = None
            self._journal.note(TimelineKind.PROMPT, name="please_wait")
            self._play_filler()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            backend = self.backend
            if backend is not None:
                reading = self._reading(backend)
                self._look_at = now + watch.next_reading_s(reading, LOOK_S)
                self._do(watch.handle(reading, now))
        deadline = watch.next_deadline()
        if deadline is not None and now >= deadline:
            self._do(watch.handle_timeout(now))
        if self._failure is not None:
            raise AgentLostError(self._failure)

    def _reading(self, backend: ai.Backend) -> AgentReading:
        health = backend.health()
        # A service that has never answered a ping may not know pings.
        unanswered_s = health.unanswered_s if health.ping_ms is not None else 0.0
        return AgentReading(
            backlog_ms=health.backlog_ms,
            dropped_ms=health.dropped_ms,
            ping_ms=health.ping_ms,
            unanswered_s=unanswered_s,
            starved_ms=self._journal.starved_ms,
        )

    def _handle(self, event: Any, error: ai.BackendError | None = None) -> None:
        if self._watch is not None:
            self._do(self._watch.handle(event, self._clock()), error)
        elif error is not None:
            self._failure = error

    def _do(self, steps: list[AgentStep], error: ai.BackendError | None = None) -> None:
        for step in steps:
            match step:
                case "play_filler":
                    # Whoever is frozen or slow has kept the caller waiting already.
                    self._filler_at = self._clock() + (_FILLER_AFTER_S if error is not None else 0.0)
                case "stop_filler":
                    self._filler_at = None
                case "reconnect":
                    self._reconnect()
                case "warm_standby":
                    self._warm()
                case "release_standby":
                    self._release_standby()
                case "take_standby":
                    self._take_standby()
                case "give_up":
                    self._give_up(error)
                case "narrow" | "widen":
                    self._set_width(narrow=step == "narrow")

    def _set_width(self, *, narrow: bool) -> None:
        """How much of the network the agent's audio takes, of this session and of one that is opened anew."""
        current = self._current
        if current is None:
            return
        self._narrow = {current.name} if narrow else set()
        if current.opened and current.backend.narrow(narrow):
            text = "audio with the agent is narrowed: slow connection" if narrow else "audio is widened again"
            self._journal.note(TimelineKind.NOTE, text=text)

    def _reconnect(self) -> None:
        """Open a new session with what was said so far."""
        current = self._current
        if current is None:
            return
        if current.opened:
            self._line.disconnect()
            self._drop(current)
            self.on_interrupted()
        self._again = True
        self._journal.figures.reconnects += 1
        self._current = self._session(current.name)

    def _warm(self) -> None:
        name = self._fallbacks.pop(0)
        self._standby = self._session(name)

    def _release_standby(self) -> None:
        standby, self._standby = self._standby, None
        if standby is not None:
            self._fallbacks.insert(0, standby.name)
            self._drop(standby)

    def _take_standby(self) -> None:
        standby, self._standby = self._standby, None
        assert standby is not None
        current = self._current
        if current is not None:
            self._line.disconnect()
            self._drop(current)
        self._current = standby
        self._journal.figures.agent = standby.name
        self._journal.note(TimelineKind.FALLBACK, agent=standby.name)
        self._again = False
        self._serve(standby)

    def _give_up(self, error: ai.BackendError | None) -> None:
        current = self._current
        known = error or (current.failure if current is not None else None)
        self._failure = known or ai.BackendError("lost", "the service does not answer", retryable=True)
        self._events.post(BackendSettled())
