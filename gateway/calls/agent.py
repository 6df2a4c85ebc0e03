"""A call's conversation with its agent: its beginning, its limits, and what the model asks for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.backends import contract as ai
from gateway.calls.agent_line import AgentLine
from gateway.calls.agent_link import AgentLink
from gateway.calls.events import CallEvent, CallEvents, LineBad, WorkDone
from gateway.calls.journal import Journal
from gateway.calls.tool_runs import Run, ToolRuns
from gateway.calls.tools import END_CALL, Tool, ToolSet
from gateway.core.call_state import CallState
from gateway.dialplan.runtime import FailureKind, StepFailedError

_GOODBYE_TIMEOUT_S: Final = 60.0
"""How long the agent's last words may take."""
_LINGER_S: Final = 0.2
"""Between the last words and BYE, for the jitter buffer of the far end."""
_MAX_FAILED_RESPONSES: Final = 2
_WATCH_S: Final = 0.5
"""How often a silent conversation is looked at."""


_PAUSES: Final[frozenset[FailureKind]] = frozenset({"caller_silent", "max_duration", "network_bad"})
"""Failures after which the agent could go on."""
_AGAIN: Final = "The caller could not hear the last thing you said to its end: say it again, in few words."


@dataclass(frozen=True, slots=True)
class _LeftOff:
    """A conversation that a step broke off."""

    backend: ai.Backend
    speaking: bool
    """The agent was."""


@dataclass(frozen=True, slots=True)
class TalkLimits:
    """When a conversation is broken off."""

    max_duration_s: float | None = None
    silence_s: float | None = None
    mind_network: bool = False
    """The caller's line is unusable: `network_bad`."""


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
        self._runs = ToolRuns(journal, clock, lambda: events.post(WorkDone()))
        self._instructed = ""
        """What the last step has told its agent to do."""
        self._talking = False
        self._aside = False
        """A function has the caller for itself: a person talks with them, or they are on hold."""
        self._greeted: ai.Backend | None = None
        self._left_off: _LeftOff | None = None
        """Who was told to speak before the caller could hear it."""
        self._missed: list[ai.ResponseDone] = []
        """What happened meanwhile."""
        self._failed_responses = 0
        self._answering = True
        """Whether the end of the answer is still to come in which the model called a function."""
        events.watchers.append(self._posted)
        link.on_restored = self._restored
        link.on_interrupted = self._interrupted

    def offer(self, tools: ToolSet) -> None:
        """The functions of the conversation that comes next."""
        self._tools = tools
        self._line.unheard.due = False

    def serves(self, name: str, tools: ToolSet, instructions: str) -> bool:
        """Whether the session that is there, or being opened, will do for the next conversation."""
        # What a step has told it can be replaced, not taken back.
        return bool(instructions or not self._instructed) and self.link.serves(name, tools)

    @contextmanager
    def instructed(self, instructions: str) -> Iterator[None]:
        """What a step tells the agent to do holds for its conversation; a page's word for all of them."""
        figures = self._journal.figures
        before, self._instructed = figures.instructions, instructions
        if instructions and instructions != before:
            self._line.wish(ai.Instructions(instructions))
        try:
            yield
        finally:
            if instructions and figures.instructions == instructions:
                figures.instructions = before

    # ---- the conversation ---------------------------------------------------------------------

    def greet_ahead(self) -> None:
        """Let the agent speak first, if it is there already, to a caller who will soon hear it."""
        self._greeted = self.link.backend
        if self._greeted is not None:
            self._greeted.greet()

    def missed(self, event: CallEvent) -> None:
        """This came before the conversation began, and was not looked at."""
        if isinstance(event, ai.ResponseDone):
            self._missed.append(event)

    async def begin(self) -> None:
        """Let the agent speak first. Raises `AgentLostError`."""
        said_all = self._greeted is not None and self.link.hung_up
        backend = self._greeted if said_all else await self.link.opened()
        self._enter(CallState.TALKING)
        left_off, self._left_off = self._left_off, None
        if left_off is not None and left_off.backend is backend:
            self._take_up(left_off)
        elif backend is not None and backend is not self._greeted:
            self._missed.clear()
            backend.greet()
        self._greeted = None
        self._line.unheard.due = True

    def _take_up(self, left_off: "_LeftOff") -> None:
        """Go on with a conversation that a step broke off: the agent knows all that was said."""
        if left_off.speaking:
            left_off.backend.tell(ai.WantAnswer(_AGAIN))
        else:
            self._pick_up(left_off.backend)

    async def talk(self, limits: TalkLimits | None = None) -> str:
        """Until the agent ends the conversation; the reason it gave.

        Raises `StepFailedError` of the kinds backend_down, caller_silent and max_duration.
        """
        limits = limits or TalkLimits()
        watch = _Watch(self._line, self._journal, limits, self._clock())
        self._talking = True
        try:
            return await self._talk(watch, mind_network=limits.mind_network)
        except StepFailedError as failure:
            backend = self.link.backend
            if backend is not None and failure.kind in _PAUSES:
                self._left_off = _LeftOff(backend, self._line.audible)
            raise
        finally:
            self._talking = False
            await self._runs.close()

    async def _talk(self, watch: "_Watch", *, mind_network: bool) -> str:
        while True:
            while (run := self._runs.next_turn()) is not None:
                if (ended := await self._take_turn(run)) is not None:
                    return ended
                watch.restart(self._clock())
            if self.link.hung_up:
                await self.let_finish()
                return "hung_up"
            early = self._missed.pop(0) if self._missed else None
            event = early or await self._next(watch.deadline(self._clock()))
            watch.check(self._clock(), busy=self._runs.busy)
            match event:
                case ai.ResponseDone():
                    self._judge_response(event)
                case LineBad() if mind_network:
                    raise StepFailedError("network_bad", "the caller's line is unusable")
                case ai.Transcript():
                    self._keep()

    async def _next(self, deadline: float | None) -> CallEvent | None:
        """The next event; meanwhile the connection is looked after. None at the deadline.

        Raises `AgentLostError`.
        """
        self.link.look()
        looks = (deadline, self.link.next_look(), self._runs.next_words())
        event = await self._events.next(min((time for time in looks if time is not None), default=None))
        self.link.look()
        words_at = self._runs.next_words()
        if words_at is not None and words_at <= self._clock():
            self._runs.say_words(silent=not self._line.audible and not self._journal.meter.speaking)
        return event

    def _posted(self, event: CallEvent) -> None:
        """Something has happened; the call's task may be busy with something else."""
        if isinstance(event, ai.FunctionCall):
            self._answering = True
            if self._talking or self._greeted is not None:
                self._runs.ask(event, self.link.backend, self._tools)
        elif isinstance(event, ai.ResponseDone):
            self._answering = False

    def _interrupted(self) -> None:
        """The session is lost; another one is looked for."""
        self._failed_responses = 0
        if self._talking and not self._aside:
            self._enter(CallState.RECOVERING)

    def _restored(self, backend: ai.Backend, _other_agent: bool) -> None:
        """There is a session again."""
        if self._talking and not self._aside:
            self._enter(CallState.TALKING)
            self._keep()
            if not self._line.parked:
                self._pick_up(backend)

    def _pick_up(self, backend: ai.Backend) -> None:
        """Go on with what was said so far."""
        conversation = self._journal.conversation
        if not conversation.begun:
            backend.greet()
        elif conversation.caller_spoke_last:
            if not self._line.unheard.audible:
                backend.resume()
            elif backend.capabilities.turn_events:
                # It hears the caller's words itself, and answers them; unless it makes nothing of them.
                self._line.own_stop.stopped(self._clock())

    async def go_on(self, news: str = "") -> None:
        """Go on with what was said so far, in a new session; with `news`, which are for the model, if any.

        Raises `AgentLostError`.
        """
        self._line.unheard.due = True
        backend = await self.link.opened()
        self._enter(CallState.TALKING)
        self._keep()
        if news:
            backend.tell(ai.UserText("", news))
            backend.resume()
        else:
            self._pick_up(backend)

    async def _take_turn(self, run: Run) -> str | None:
        """Answer what the model asked for; the reason for the end if it ends the conversation."""
        if run.output is None:
            if run.tool is None:
                await self.let_finish()
                return END_CALL
            await self._carry_out(run, run.tool)
        self._runs.answered(run)
        if run.ends:
            return run.request.name
        backend, output = self.link.backend, run.output or ""
        if backend is not None and backend is run.backend:
            backend.send_tool_result(run.request.call_id, output)
        elif backend is not None:
            # A session that was opened since does not know that it asked.
            told = f"({run.request.name}, called before the connection broke, answers: {output})"
            backend.tell(ai.UserText("", told))
            backend.resume()
        return None

    async def _carry_out(self, run: Run, tool: Tool) -> None:
        """What needs the caller for itself."""
        self._aside = True
        try:
            await self._runs.carry_out(run, tool)
        finally:
            self._aside = False
        if not run.ends and self.link.backend is None and not self.link.hung_up:
            self._enter(CallState.RECOVERING)

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
        answers = backend is not None and backend.capabilities.answers
        while (answers and self._answering) or self._line.audible:
            if await self._events.next(deadline) is None:
                return
            answers = answers and self.link.backend is not None

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

    def restart(self, now: float) -> None:
        """The conversation goes on after something that kept it up."""
        self._quiet_since = now

    def check(self, now: float, *, busy: bool) -> None:
        """Raises `StepFailedError` when a limit is reached. `busy`: the caller waits for a function."""
        longest, silence = self._limits.max_duration_s, self._limits.silence_s
        if longest is not None and now - self._began >= longest:
            raise StepFailedError("max_duration", f"the conversation lasted {longest:g} s")
        if busy or self._line.audible or self._line.parked or self._meter.speaking:
            self._quiet_since = now
        elif silence is not None and now - self._quiet_since >= silence:
            raise StepFailedError("caller_silent", f"nobody has spoken for {silence:g} s")
