"""Places the calls of a rehearsal, lets them follow their scripts, and hangs up."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.bench.callers import SLOTS, Aim, Callers
from gateway.bench.calls import wait_ready
from gateway.bench.clock import Loop
from gateway.bench.dialog import DialogState
from gateway.bench.result import InstrumentHealth
from gateway.observe.priority import realtime
from gateway.rehearse.phone import Phone, Trace
from gateway.rehearse.script import Script

CALL_MAX_S: Final = 240.0
"""A call is hung up then, wherever its script is."""
_HANG_UP_S: Final = 5.0
_PROGRESS_EVERY_S: Final = 0.25
_LOOK_EVERY_S: Final = 0.1

OnProgress = Callable[[str, float], None]
"""Called with what is going on and the share that is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    scripts: tuple[Script, ...]
    """One per call."""
    rate_per_s: float
    aim: Aim
    at_once: int
    """Calls at a time."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it."""

    traces: tuple[Trace, ...]
    instrument: InstrumentHealth


def run_calls(plan: Plan, on_progress: OnProgress) -> Recorded:
    """Place and hold the calls until all are over. Raises `RemoteError` when the target is not there.

    Whatever ends it early, calls that are up get a BYE.
    """
    with realtime(), Loop() as loop:  # phones have processors of their own
        callers = Callers(loop, plan.aim)
        wait_ready(loop, callers, plan.aim)
        rehearsal = _Rehearsal(loop, callers, plan, on_progress)
        own_s, begin_s = time.process_time(), time.monotonic()
        callers.restart_measurement(())
        try:
            rehearsal.run()
        finally:
            cpu = (time.process_time() - own_s) / max(0.001, time.monotonic() - begin_s)
            health = callers.health(cpu)
            rehearsal.hang_up_all()
        return Recorded(tuple(rehearsal.traces()), health)


def _is_over(phone: Phone, talked_s: float) -> bool:
    return phone.finished or talked_s > CALL_MAX_S


class _Rehearsal:
    def __init__(self, loop: Loop, callers: Callers, plan: Plan, on_progress: OnProgress) -> None:
        self._loop, self._callers, self._plan, self._on_progress = loop, callers, plan, on_progress
        self._phones: list[Phone] = []
        self._next_at_s = 0.0

    def run(self) -> None:
        """Until the last call is over."""
        now_s = time.time()
        self._look(now_s)
        self._tell(now_s)
        total = len(self._plan.scripts)
        rounds = -(-total // self._plan.at_once)
        limit_s = now_s + total / self._plan.rate_per_s + rounds * (CALL_MAX_S + 2 * _HANG_UP_S + 35)
        self._loop.run_until(lambda: len(self._phones) == total and not self._busy(), limit_s)

    def _busy(self) -> list[Phone]:
        over = (DialogState.ENDED, DialogState.FAILED)
        return [phone for phone in self._phones if phone.dialog.state not in over]

    def _look(self, now_s: float) -> None:
        """Note what has ended, hang up what is through, place what is due."""
        for phone in self._phones:
            state, answered_s = phone.dialog.state, phone.dialog.answered_s
            if phone.ended_s is None and state in (DialogState.ENDED, DialogState.FAILED):
                phone.ended_s = now_s
            elif state is DialogState.UP and answered_s is not None and _is_over(phone, now_s - answered_s):
                phone.ended_s = now_s
                self._callers.hang_up(phone, now_s)
        placed, plan = len(self._phones), self._plan
        if placed < len(plan.scripts) and now_s >= self._next_at_s and len(self._busy()) < plan.at_once:
            phone = Phone(placed % SLOTS, placed + 1, plan.scripts[placed])
            self._phones.append(self._callers.place_for(phone))
            self._next_at_s = now_s + 1 / plan.rate_per_s
        self._loop.call_at(now_s + min(_LOOK_EVERY_S, 1 / plan.rate_per_s), self._look)

    def _tell(self, now_s: float) -> None:
        total = len(self._plan.scripts)
        share = sum(phone.progress for phone in self._phones) / total
        self._on_progress(f"{len(self._phones)} of {total} calls", share)
        self._loop.call_at(now_s + _PROGRESS_EVERY_S, self._tell)

    def hang_up_all(self) -> None:
        """BYE to every call that is up, and their answers."""
        up = self._busy()
        begin_s = time.time()
        for number, phone in enumerate(up):
            self._loop.call_at(begin_s + number / 1000, partial(self._callers.hang_up, phone))
        if up and not self._loop.run_until(lambda: not self._busy(), begin_s + _HANG_UP_S):
            for phone in up:
                phone.dialog.abandon()

    def traces(self) -> Sequence[Trace]:
        """How the calls went."""
        now_s = time.time()
        return [phone.trace(now_s) for phone in self._phones]
