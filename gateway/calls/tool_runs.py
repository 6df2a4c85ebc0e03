"""The functions that a model has called in one conversation: carried out beside it, answered in order.

    asked ── refused, unknown ──────────────────────────> done ── its turn ──> answered
      ├── beside the call, in a task ── ends or fails ──> done
      └── alone: waits for its turn, then the dialogue carries it out itself ──> answered

A function that takes long is covered by words; they wait until nobody speaks.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.backends import contract as ai
from gateway.calls.events import CallEndedError
from gateway.calls.journal import Journal
from gateway.calls.tools import (
    END_CALL,
    Tool,
    ToolAnswer,
    ToolFailedError,
    ToolSet,
    arguments_of,
    failure,
    tool_result,
)
from gateway.core.record import TimelineKind
from gateway.observe.log import get_logger

MAX_RUNNING: Final = 8
"""Functions of one conversation that are carried out at the same time."""
MAX_WAITING: Final = 32
"""Requests of one conversation that have not been answered; more are dropped."""

WORDS_AFTER_S: Final = 1.5
"""A function that is quicker needs no words."""
_WORDS_AGAIN_S: Final = 8.0
_NOT_NOW_S: Final = 0.25
"""Somebody speaks: so much later it is tried again."""
_BREATH_S: Final = 0.75
"""After somebody has spoken, before we do."""

Outcome = Literal["ok", "failed", "refused", "unknown"]
"""refused: the arguments do not fit, or too much at once · unknown: there is no such function."""

log = get_logger()


@dataclass(slots=True)
class Run:
    """One request of the model."""

    request: ai.FunctionCall
    backend: ai.Backend | None
    """The session that asked."""
    tool: Tool | None
    arguments: dict[str, Any]
    asked_s: float
    output: str | None = None
    """JSON text for the model, once it is done."""
    outcome: Outcome = "ok"
    ends: bool = False
    words_at_s: float | None = None
    """When the caller is told that it takes time."""
    spoken_over: bool = False
    """Somebody spoke when the words were due."""

    @property
    def alone(self) -> bool:
        """Whether the dialogue has to carry it out itself."""
        return self.output is None and (self.tool is None or self.tool.alone)

    def settle(self, output: str, outcome: Outcome) -> None:
        """It is done."""
        self.output, self.outcome, self.words_at_s = output, outcome, None


class ToolRuns:
    """One conversation's; owns the tasks."""

    def __init__(self, journal: Journal, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        """`wake`: lets the dialogue look at `next_turn`."""
        self._journal = journal
        self._clock = clock
        self._wake = wake
        self._runs: deque[Run] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False

    @property
    def busy(self) -> bool:
        """Whether the model waits for an answer."""
        return bool(self._runs)

    def ask(self, request: ai.FunctionCall, backend: ai.Backend | None, tools: ToolSet) -> None:
        """The model calls a function."""
        journal = self._journal
        journal.note(TimelineKind.TOOL_CALL, name=request.name, arguments=request.arguments)
        if self._ending or len(self._runs) >= MAX_WAITING:
            log.warning("a function is not carried out", call_id=journal.facts.id, waiting=len(self._runs))
            return
        run = Run(request, backend, tools.find(request.name), {}, self._clock())
        self._runs.append(run)
        if run.tool is None:
            if request.name == END_CALL and tools.end_call:
                self._ending = True
            else:
                run.settle(tool_result(request), "unknown")
            return
        try:
            run.arguments = arguments_of(request, run.tool)
            if not run.tool.alone:
                self._begin(run, run.tool)
        except ToolFailedError as exc:
            run.settle(failure(str(exc)), "refused")

    def _begin(self, run: Run, tool: Tool) -> None:
        if len(self._tasks) >= MAX_RUNNING:
            raise ToolFailedError("too many functions at once; wait for their answers")
        if tool.say_wait is not None:
            run.words_at_s = run.asked_s + WORDS_AFTER_S
        self._start(self._beside(run, tool))

    async def _beside(self, run: Run, tool: Tool) -> None:
        await self.carry_out(run, tool)
        self._wake()

    async def carry_out(self, run: Run, tool: Tool) -> None:
        """Do it; whatever goes wrong is an answer. Raises `CallEndedError`."""
        try:
            answer = await tool.run(run.arguments)
            output, ends = _encoded(answer), answer.ends
        except ToolFailedError as exc:
            run.settle(failure(str(exc)), "failed")
        except CallEndedError:
            raise
        except Exception:
            log.exception("a function failed", call_id=self._journal.facts.id, function=tool.name)
            run.settle(failure("the function failed"), "failed")
        else:
            run.settle(output, "ok")
            run.ends = ends

    def next_turn(self) -> Run | None:
        """The oldest request, if it is done or has to be carried out by the dialogue."""
        if self._runs and (self._runs[0].output is not None or self._runs[0].alone):
            return self._runs[0]
        return None

    def answered(self, run: Run) -> None:
        """The oldest request has been dealt with."""
        self._runs.remove(run)
        took_ms = round((self._clock() - run.asked_s) * 1000, 1)
        self._journal.note(
            TimelineKind.TOOL_RESULT,
            name=run.request.name,
            output=run.output,
            outcome=run.outcome,
            took_ms=took_ms,
        )

    # ---- words meanwhile ----------------------------------------------------------------------

    def next_words(self) -> float | None:
        """When `say_words` wants to be called."""
        return min((run.words_at_s for run in self._runs if run.words_at_s is not None), default=None)

    def say_words(self, *, silent: bool) -> None:
        """Cover a function that takes long, unless somebody speaks."""
        now = self._clock()
        for run in self._runs:
            if run.words_at_s is None or run.words_at_s > now:
                continue
            if not silent:
                run.words_at_s, run.spoken_over = now + _NOT_NOW_S, True
            elif run.spoken_over:
                run.words_at_s, run.spoken_over = now + _BREATH_S, False
            else:
                run.words_at_s, silent = now + _WORDS_AGAIN_S, False
                self._say(run)

    def _say(self, run: Run) -> None:
        assert run.tool is not None
        assert run.tool.say_wait is not None
        self._journal.note(TimelineKind.PROMPT, name="please_wait", tool=run.tool.name)
        self._start(run.tool.say_wait(lambda: run.output is None))

    # ---- tasks --------------------------------------------------------------------------------

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("words of a function failed", call_id=self._journal.facts.id, exc_info=error)

    async def close(self) -> None:
        """The conversation is over: what is under way is given up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._runs.clear()
        self._ending = False


def _encoded(answer: ToolAnswer) -> str:
    return json.dumps(dict(answer.output), ensure_ascii=False)
