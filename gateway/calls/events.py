"""What reaches a call's task, in order: a bounded inbox in which endings become `CallEndedError`."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gateway.backends import contract as ai
from gateway.calls.endings import by_leg
from gateway.calls.journal import Journal
from gateway.core.termination import Reason, Termination
from gateway.legs.contract import LegEvent
from gateway.observe.log import get_logger
from gateway.wire import card as wire

_INBOX: Final = 256

Result = TypeVar("Result")

log = get_logger()


@dataclass(frozen=True, slots=True)
class BackendSettled:
    """Opening the backend succeeded or failed; the agent's session knows which."""


@dataclass(frozen=True, slots=True)
class EndRequested:
    """Somebody outside the call wants it to end."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LineBad:
    """The caller's network is so bad that nothing helps; told again each time that it has lasted on."""


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Work that the call waits for beside its events has ended."""


CallEvent = LegEvent | ai.BackendEvent | BackendSettled | EndRequested | LineBad | WorkDone


class CallEndedError(Exception):
    """Unwinds a call to its end from wherever it is; never leaves `Call.run`."""

    def __init__(self, termination: Termination) -> None:
        super().__init__(termination.reason)
        self.termination = termination


class CallEvents:
    """The inbox of one call."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        """`clock`: CLOCK_MONOTONIC seconds."""
        self._journal = journal
        self._clock = clock
        self._inbox: asyncio.Queue[CallEvent] = asyncio.Queue(_INBOX)
        self.leg_closed = False
        """Whether the caller's leg is over."""
        self.watchers: list[Callable[[CallEvent], None]] = []
        """Told of every event when it is posted, whatever the call's task waits for."""

    def post(self, event: CallEvent) -> None:
        """Hand an event to the call's task; overflow ends the call, for it cannot be right any more."""
        for watcher in self.watchers:
            watcher(event)
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:
            log.error("the call does not keep up with its events", call_id=self._journal.facts.id)
            while not self._inbox.empty():
                self.leg_closed = isinstance(self._inbox.get_nowait(), wire.LegClosed) or self.leg_closed
            self._inbox.put_nowait(EndRequested(Reason.INTERNAL_ERROR))

    async def next(self, deadline: float | None) -> CallEvent | None:
        """The next event, None at the deadline. Raises `CallEndedError` when the call is over."""
        timeout_s = None if deadline is None else max(0.0, deadline - self._clock())
        try:
            async with asyncio.timeout(timeout_s):
                event = await self._inbox.get()
        except TimeoutError:
            return None
        match event:
            case wire.LegClosed():
                self.leg_closed = True
                self._journal.figures.sip_status = event.status
                raise CallEndedError(
                    by_leg(
                        event, self._journal.facts.kind, answered=self._journal.figures.answered_s is not None
                    )
                )
            case wire.RtpStalled():
                raise CallEndedError(Termination(Reason.RTP_TIMEOUT, f"{event.silent_s:.0f} s without RTP"))
            case EndRequested():
                raise CallEndedError(Termination(event.reason, event.detail))
        return event

    async def during(
        self,
        work: Coroutine[Any, Any, Result],
        react: Callable[[CallEvent], None] | None = None,
        undo: Callable[[Result], None] | None = None,
    ) -> Result:
        """Do work while events go on arriving; `react` gets them. The call's end cancels the work.

        `undo` gets the result of work that was done just when the call ended. Raises what the work
        raises, and `CallEndedError`.
        """
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self.post(WorkDone()))
        try:
            while not task.done():
                event = await self.next(None)
                if react is not None and event is not None:
                    react(event)
        except BaseException:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if undo is not None and not task.cancelled() and task.exception() is None:
                undo(task.result())
            raise
        return task.result()
