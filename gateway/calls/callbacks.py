"""Calls that were promised to callers: each waits for its time, and is tried until somebody answers.

They wait in memory: they do not outlive the core.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.backends.contract import Utterance
from gateway.core.ids import CallId
from gateway.dialplan.runtime import CallbackRequest, StepFailedError
from gateway.errors import RemoteError
from gateway.observe.log import get_logger
from gateway.observe.tasks import report_fault

MOST: Final = 1000
"""Call-backs that may wait."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Callback:
    """A promised call."""

    of: CallId
    """The call in which it was promised."""
    request: CallbackRequest
    shown: str
    """Our number, as they dialled it; personal data."""
    variables: Mapping[str, str]
    """Of that call; personal data."""
    said: tuple[Utterance, ...]
    """What was said in it; personal data."""


class CallbackDesk(Protocol):
    """Takes promises."""

    def promise(self, callback: Callback) -> None:
        """Keep it in mind. Raises `StepFailedError` of the kinds not_allowed and not_possible."""


class NoCallbacks:
    """For a gateway that can call nobody."""

    def promise(self, callback: Callback) -> None:
        """Always raises."""
        raise StepFailedError("not_possible", "this gateway calls nobody back")


class Callbacks:
    """Implements `CallbackDesk`; owns the tasks that wait."""

    def __init__(
        self,
        check: Callable[[Callback], None],
        place: Callable[[Callback], Awaitable[bool]],
        leaving: Callable[[], bool],
    ) -> None:
        """check: raises `StepFailedError` when it can never be. place: makes the call, to its end.

        `place` returns whether somebody answered, and raises `RemoteError` when no call could be made.
        leaving: whether the gateway waits for its last calls to end; it promises and places none then.
        """
        self._check = check
        self._place = place
        self._leaving = leaving
        self._waiting: dict[str, asyncio.Task[None]] = {}
        """By target: whoever is promised two calls gets the later one."""

    @property
    def waiting(self) -> int:
        """Promises that have not been kept yet."""
        return len(self._waiting)

    def promise(self, callback: Callback) -> None:
        """As the protocol says."""
        if self._leaving():
            raise StepFailedError("not_possible", "the gateway is about to stop, promises end with it")
        self._check(callback)
        target = callback.request.target
        before = self._waiting.pop(target, None)
        if before is not None:
            before.cancel()
        elif len(self._waiting) >= MOST:
            raise StepFailedError("not_possible", f"{MOST} callers wait to be called back")
        task = asyncio.create_task(self._keep(callback), name=f"call back for {callback.of}")
        task.add_done_callback(report_fault)
        self._waiting[target] = task

    async def _keep(self, callback: Callback) -> None:
        request = callback.request
        await asyncio.sleep(request.after_s)
        try:
            for attempt in range(1, request.tries + 1):
                if attempt > 1:
                    await asyncio.sleep(request.every_s)
                if await self._try(callback, attempt):
                    return
            log.warning("call-back given up", call_id=callback.of, tries=request.tries)
        finally:
            if self._waiting.get(request.target) is asyncio.current_task():
                del self._waiting[request.target]

    async def _try(self, callback: Callback, attempt: int) -> bool:
        try:
            if self._leaving():
                raise RemoteError("the gateway takes no new calls", retryable=True)
            return await self._place(callback)
        except RemoteError as exc:
            log.warning("call-back not placed", call_id=callback.of, attempt=attempt, error=str(exc))
            return False

    async def close(self) -> None:
        """Forget what was promised."""
        tasks = list(self._waiting.values())
        self._waiting.clear()
        if tasks:
            log.warning("promised call-backs are forgotten", count=len(tasks))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
