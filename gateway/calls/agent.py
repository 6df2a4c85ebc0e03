"""A call's agent: opens its backend, keeps it alive, and carries out what the model asks for."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.backends import contract as ai
from gateway.calls.agent_line import AgentLine
from gateway.calls.events import BackendSettled, CallEvents, EndRequested
from gateway.calls.journal import Journal
from gateway.calls.tools import END_CALL, ToolSet, tool_result
from gateway.config.models import AgentConfig
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind
from gateway.core.termination import Reason
from gateway.dialplan.runtime import StepFailedError
from gateway.observe.log import get_logger

_GOODBYE_TIMEOUT_S: Final = 60.0
"""How long the agent's last words may take."""
_LINGER_S: Final = 0.2
"""Between the last words and BYE, for the jitter buffer of the far end."""
_STEADY_S: Final = 10.0
"""A backend lost sooner after a reconnect is not tried again."""
_MAX_FAILED_RESPONSES: Final = 2
_WATCH_S: Final = 0.5
"""How often a silent conversation is looked at."""

MakeBackend = Callable[[AgentConfig, ai.BackendContext, tuple[dict[str, Any], ...]], ai.Backend]

log = get_logger()


class AgentLostError(StepFailedError):
    """The agent's service is of no use."""

    def __init__(self, error: ai.BackendError) -> None:
        super().__init__("backend_down", str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class TalkLimits:
    """When a conversation is broken off."""

    max_duration_s: float | None = None
    silence_s: float | None = None


class AgentSession:
    """The backend side of one call; agents may follow one another."""

    def __init__(
        self,
        line: AgentLine,
        events: CallEvents,
        journal: Journal,
        make_backend: MakeBackend,
        clock: Callable[[], float],
        enter: Callable[[CallState], None],
        keep: Callable[[], None],
    ) -> None:
        """`enter`: the call's state changes. `keep`: leave a checkpoint with the leg."""
        self._line = line
        self._events = events
        self._journal = journal
        self._make_backend = make_backend
        self._clock = clock
        self._enter = enter
        self._keep = keep
        self._log = log.bind(call_id=journal.facts.id)
        self.name = ""
        """Agent of the configuration; empty while there is none."""
        self._config: AgentConfig | None = None
        self._variables: Mapping[str, str] = {}
        self._tools = ToolSet()
        self.backend: ai.Backend | None = None
        self.failure: ai.BackendError | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reconnected_at: float | None = None
        self._failed_responses = 0
        events.on_lost = self.fault

    @property
    def settled(self) -> bool:
        """Whether opening has succeeded or failed."""
        return self.backend is not None or self.failure is not None

    def serves(self, name: str, tools: ToolSet) -> bool:
        """Whether this agent is connected, or being so, with these functions."""
        return name == self.name and self.failure is None and tools.names == self._tools.names

    # ---- opening and closing ------------------------------------------------------------------

    def start(self, name: str, config: AgentConfig, variables: Mapping[str, str], tools: ToolSet) -> None:
        """Begin to connect an agent, unless it is the one that is connected."""
        if self.serves(name, tools):
            self._tools = tools
            return
        if self.name:
            raise AssertionError("the agent before was not released")
        self.name, self._config, self._variables, self._tools = name, config, variables, tools
        self._journal.figures.agent = name
        self._reconnected_at = None
        self._failed_responses = 0
        self._open()

    def _open(self) -> None:
        """Start connecting; `BackendSettled` follows."""
        assert self._config is not None
        facts = self._journal.facts
        context = ai.BackendContext(
            call_id=facts.id,
            agent=self.name,
            pcm_format=self._line.pcm_format,
            variables={"from": facts.from_number, "to": facts.to_number, **self._variables},
        )
        backend = self._make_backend(self._config, context, self._tools.schemas)
        self.failure = None
        self._journal.note(TimelineKind.BACKEND_CONNECTING, backend=backend.describe())
        self._opening = asyncio.create_task(self._open_it(backend), name=f"open backend of {facts.id}")

    async def _open_it(self, backend: ai.Backend) -> None:
        began = self._clock()
        try:
            await backend.open(self._line, self._journal.conversation.utterances)
        except ai.BackendError as exc:
            await backend.close()
            self.fault(exc)
        except asyncio.CancelledError:
            await backend.close()
            raise
        except Exception:  # noqa: BLE001 - the call ends in order, whatever the backend's code did
            self._log.exception("opening the backend failed")
            await backend.close()
            self._events.post(EndRequested(Reason.INTERNAL_ERROR))
            return
        else:
            self.backend = backend
            assert self._config is not None
            self._line.connect(backend, self._config.barge_in)
            took_ms = round((self._clock() - began) * 1000, 1)
            self._journal.note(TimelineKind.BACKEND_READY, took_ms=took_ms)
        self._events.post(BackendSettled())

    async def opened(self) -> ai.Backend:
        """The backend, once it is open. Raises `AgentLostError`."""
        while self.backend is None:
            if self.failure is not None:
                raise AgentLostError(self.failure)
            await self._events.next(None)
        return self.backend

    async def release(self) -> None:
        """Close the session, or stop opening it."""
        await self._close()
        self.name = ""
        self._config = None
        self.failure = None

    async def _close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        self._line.disconnect()
        backend, self.backend = self.backend, None
        if backend is not None:
            await backend.close()

    def fault(self, error: ai.BackendError) -> None:
        """Remember, log and note that the backend is of no use."""
        self.failure = error
        self._log.warning(
            "backend fault",
            agent=self.name,
            fault=error.kind,
            error=str(error),
            retryable=error.retryable,
        )
        self._journal.note(
            TimelineKind.BACKEND_FAULT, fault=error.kind, detail=str(error), retryable=error.retryable
        )

    # ---- the conversation ---------------------------------------------------------------------

    async def begin(self) -> None:
        """Let the agent speak first. Raises `AgentLostError`."""
        backend = await self.opened()
        self._enter(CallState.TALKING)
        backend.greet()

    async def talk(self, limits: TalkLimits | None = None) -> str:
        """Until the agent ends the conversation; the reason it gave.

        Raises `StepFailedError` of the kinds backend_down, caller_silent and max_duration.
        """
        limits = limits or TalkLimits()
        watch = _Watch(self._line, self._journal, limits, self._clock())
        while True:
            if self.failure is not None:
                await self._recover(self.failure)
            event = await self._events.next(watch.deadline(self._clock()))
            watch.check(self._clock())
            match event:
                case ai.FunctionCall():
                    ended = await self._use_tool(event)
                    if ended is not None:
                        return ended
                case ai.ResponseDone():
                    self._judge_response(event)
                case ai.HungUp():
                    await self.let_finish()
                    return "hung_up"
                case ai.Transcript():
                    self._keep()

    async def _recover(self, error: ai.BackendError) -> None:
        """The backend was lost mid-call: once more with the transcript, else give up."""
        await self._close()
        again_at = self._reconnected_at
        if not error.retryable or (again_at is not None and self._clock() - again_at < _STEADY_S):
            raise AgentLostError(error)
        self._enter(CallState.RECOVERING)
        self._journal.figures.reconnects += 1
        self._open()
        await self.go_on()

    async def go_on(self) -> None:
        """Go on with what was said so far, in a new session. Raises `AgentLostError`."""
        backend = await self.opened()
        self._reconnected_at = self._clock()
        self._enter(CallState.TALKING)
        self._keep()
        conversation = self._journal.conversation
        if not conversation.begun:
            backend.greet()
        elif conversation.caller_spoke_last:
            backend.resume()

    async def _use_tool(self, request: ai.FunctionCall) -> str | None:
        """Carry out what the model asks for; the reason for the end if it ends the conversation."""
        self._journal.note(TimelineKind.TOOL_CALL, name=request.name, arguments=request.arguments)
        if request.name == END_CALL:
            await self.let_finish()
            return "end_call"
        tool = self._tools.find(request.name)
        if tool is None:
            output, ended = tool_result(request), False
        else:
            output, ended = await tool.run(request.arguments)
        self._journal.note(TimelineKind.TOOL_RESULT, name=request.name, output=output)
        if ended:
            return request.name
        if self.backend is not None:
            self.backend.send_tool_result(request.call_id, output)
        return None

    async def let_finish(self) -> None:
        """Wait until the running answer is complete and has been heard."""
        await self._until_silent(self._clock() + _GOODBYE_TIMEOUT_S)
        await self.linger()

    async def linger(self) -> None:
        """What was played last is still on its way to the caller's ear."""
        deadline = self._clock() + _LINGER_S
        while await self._events.next(deadline) is not None:
            pass

    async def _until_silent(self, deadline: float) -> None:
        responding = self.backend is not None
        while responding or self._line.audible:
            event = await self._events.next(deadline)
            if event is None:
                return
            if self.failure is not None:
                await self._close()
                responding = False
            elif isinstance(event, ai.ResponseDone):
                responding = False

    def _judge_response(self, done: ai.ResponseDone) -> None:
        """A service that fails every answer is as good as gone."""
        if done.status != "failed":
            self._failed_responses = 0
            return
        self._failed_responses += 1
        if self._failed_responses >= _MAX_FAILED_RESPONSES:
            self.fault(ai.BackendError("refused", f"the answer failed: {done.detail}", retryable=False))
        elif self.backend is not None:
            self.backend.resume()


class _Watch:
    """Limits of one conversation."""

    def __init__(self, line: AgentLine, journal: Journal, limits: TalkLimits, now: float) -> None:
        self._line = line
        self._meter = journal.meter
        self._limits = limits
        self._began = now
        self._quiet_since = now

    def deadline(self, now: float) -> float | None:
        """When to look again."""
        if self._limits.silence_s is not None:
            return now + _WATCH_S
        longest = self._limits.max_duration_s
        return None if longest is None else self._began + longest

    def check(self, now: float) -> None:
        """Raises `StepFailedError` when a limit is reached."""
        longest, silence = self._limits.max_duration_s, self._limits.silence_s
        if longest is not None and now - self._began >= longest:
            raise StepFailedError("max_duration", f"the conversation lasted {longest:g} s")
        if self._line.audible or self._line.parked or self._meter.speaking:
            self._quiet_since = now
        elif silence is not None and now - self._quiet_since >= silence:
            raise StepFailedError("caller_silent", f"nobody has spoken for {silence:g} s")
