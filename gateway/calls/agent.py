"""A call's conversation with its agent: its beginning, its limits, and what the model asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.backends import contract as ai
from gateway.calls.agent_line import AgentLine
from gateway.calls.agent_link import AgentLink
from gateway.calls.events import CallEvent, CallEvents
from gateway.calls.journal import Journal
from gateway.calls.tools import END_CALL, ToolSet, tool_result
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind
from gateway.dialplan.runtime import StepFailedError

_GOODBYE_TIMEOUT_S: Final = 60.0
"""How long the agent's last words may take."""
_LINGER_S: Final = 0.2
"""Between the last words and BYE, for the jitter buffer of the far end."""
_MAX_FAILED_RESPONSES: Final = 2
_WATCH_S: Final = 0.5
"""How often a silent conversation is looked at."""


@dataclass(frozen=True, slots=True)
class TalkLimits:
    """When a conversation is broken off."""

    max_duration_s: float | None = None
    silence_s: float | None = None


class AgentDialogue:
    """One call's talks with agents; they may follow one another."""

    def __init__(
        self,
        line: AgentLine,
        link: AgentLink,
        events: CallEvents,
        journal: Journal,
        clock: Callable[[], float],
        enter: Callable[[CallState], None],
        keep: Callable[[], None],
    ) -> None:
        """`enter`: the call's state changes. `keep`: leave a checkpoint with the leg."""
        self._line = line
        self.link = link
        """The connection to the service."""
        self._events = events
        self._journal = journal
        self._clock = clock
        self._enter = enter
        self._keep = keep
        self._tools = ToolSet()
        self._talking = False
        self._failed_responses = 0
        link.on_restored = self._restored
        link.on_interrupted = self._interrupted

    def offer(self, tools: ToolSet) -> None:
        """The functions of the conversation that comes next."""
        self._tools = tools

    # ---- the conversation ---------------------------------------------------------------------

    async def begin(self) -> None:
        """Let the agent speak first. Raises `AgentLostError`."""
        backend = await self.link.opened()
        self._enter(CallState.TALKING)
        backend.greet()

    async def talk(self, limits: TalkLimits | None = None) -> str:
        """Until the agent ends the conversation; the reason it gave.

        Raises `StepFailedError` of the kinds backend_down, caller_silent and max_duration.
        """
        limits = limits or TalkLimits()
        watch = _Watch(self._line, self._journal, limits, self._clock())
        self._talking = True
        try:
            return await self._talk(watch)
        finally:
            self._talking = False

    async def _talk(self, watch: "_Watch") -> str:
        while True:
            event = await self._next(watch.deadline(self._clock()))
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

    async def _next(self, deadline: float | None) -> CallEvent | None:
        """The next event; meanwhile the connection is looked after. None at the deadline.

        Raises `AgentLostError`.
        """
        self.link.look()
        look_at = self.link.next_look()
        times = [time for time in (deadline, look_at) if time is not None]
        event = await self._events.next(min(times, default=None))
        self.link.look()
        return event

    def _interrupted(self) -> None:
        """The session is lost; another one is looked for."""
        self._failed_responses = 0
        if self._talking:
            self._enter(CallState.RECOVERING)

    def _restored(self, backend: ai.Backend, _other_agent: bool) -> None:
        """There is a session again."""
        if self._talking:
            self._enter(CallState.TALKING)
            self._keep()
            self._pick_up(backend)

    def _pick_up(self, backend: ai.Backend) -> None:
        """Go on with what was said so far."""
        conversation = self._journal.conversation
        if not conversation.begun:
            backend.greet()
        elif conversation.caller_spoke_last:
            backend.resume()

    async def go_on(self) -> None:
        """Go on with what was said so far, in a new session. Raises `AgentLostError`."""
        backend = await self.link.opened()
        self._enter(CallState.TALKING)
        self._keep()
        self._pick_up(backend)

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
        backend = self.link.backend
        if backend is not None:
            backend.send_tool_result(request.call_id, output)
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
        backend = self.link.backend
        responding = backend is not None and backend.capabilities.answers
        while responding or self._line.audible:
            event = await self._events.next(deadline)
            if event is None:
                return
            if self.link.backend is None or isinstance(event, ai.ResponseDone):
                responding = False

    def _judge_response(self, done: ai.ResponseDone) -> None:
        """A service that fails every answer is as good as gone."""
        if done.status != "failed":
            self._failed_responses = 0
            return
        self._failed_responses += 1
        backend = self.link.backend
        if self._failed_responses >= _MAX_FAILED_RESPONSES:
            error = ai.BackendError("refused", f"the answer failed: {done.detail}", retryable=False)
            self.link.give_up(error)
        elif backend is not None:
            backend.resume()


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
