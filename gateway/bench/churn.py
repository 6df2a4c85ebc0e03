"""`gateway bench churn`: many short calls, and whether anything grows.

Each call speaks for a while and is then ended, by the caller or, where the backend is the bench's own, by
the far end every second time. Memory, descriptors and processes are compared between the end of a warm-up
(as many calls as run at once, ten times over: pools and caches are full then) and the end of the run.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.bench.callers import Aim, Caller, Callers
from gateway.bench.calls import OnProgress, roles_usage, wait_ready
from gateway.bench.clock import Loop
from gateway.bench.dialog import DialogState
from gateway.bench.measure import distribution
from gateway.bench.result import ChurnResult, Growth
from gateway.bench.summary import first_rtp_time_s, setup_time_s, this_machine
from gateway.bench.tree import Role, Usage
from gateway.observe.priority import realtime

WARM_UP_ROUNDS = 10
_SETTLE_S = 40.0
"""Idle cards retire after half a minute."""
_LOOK_AT_TREE_EVERY_S = 1.0
_LOOK_AT_CALLS_EVERY_S = 0.02
_CALL_LIMIT_S = 70.0
"""No call can last longer: its requests give up after 32 s."""
FAR_END_GRACE_S = 1.0
"""A caller speaks so much longer than the far end, so that it does not hang up first on a busy machine."""
FAR_END_SHARE = 0.25
"""Fewer calls ended by the far end, of the half that should be, is a failure."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much a tree may hold more at the end than after the warm-up."""

    pss_kib: int
    fds: int
    processes: int

    def allows(self, growth: Usage) -> bool:
        """Whether nothing has grown beyond it."""
        return (
            growth.pss_kib <= self.pss_kib and growth.fds <= self.fds and growth.processes <= self.processes
        )


@dataclass(frozen=True, slots=True)
class ChurnPlan:
    """What to do."""

    calls: int
    concurrent: int
    talk_seconds: float
    """After this a far end that hangs up does so; callers do `FAR_END_GRACE_S` later."""
    far_end_hangs_up: bool
    """Whether the far end ends every second call."""
    tolerance: Tolerance
    aim: Aim


class _Round:
    """A number of short calls, so many at a time."""

    def __init__(self, loop: Loop, callers: Callers, plan: ChurnPlan, calls: int) -> None:
        self._loop, self._callers, self._plan, self._calls = loop, callers, plan, calls
        self._placed = 0
        self._live: set[Caller] = set()
        self.failures: list[str] = []
        self.setups_s: list[float | None] = []
        self.first_rtps_s: list[float | None] = []
        self.ended_by_caller = self.ended_by_far_end = 0

    @property
    def ended(self) -> int:
        """Calls that are over, well or not."""
        return self._placed - len(self._live)

    def run(self, doing: str, on_progress: OnProgress) -> None:
        """Until all are over."""

        def look(now_s: float) -> None:
            self._look(now_s)
            on_progress(doing, self.ended / self._calls)
            if self.ended < self._calls:
                self._loop.call_at(now_s + _LOOK_AT_CALLS_EVERY_S, look)

        look(time.time())
        waves = -(-self._calls // self._plan.concurrent)
        limit_s = waves * (self._plan.talk_seconds + FAR_END_GRACE_S + _CALL_LIMIT_S)
        if not self._loop.run_until(lambda: self.ended == self._calls, time.time() + limit_s):
            self.failures += ["not over in time"] * (self._calls - self.ended)

    def _look(self, now_s: float) -> None:
        """End what has lasted long enough, note what is over, place at most one call."""
        for caller in list(self._live):
            dialog = caller.dialog
            if dialog.state in (DialogState.ENDED, DialogState.FAILED):
                self._note(caller)
            elif dialog.state is DialogState.UP and dialog.answered_s is not None:
                grace_s = FAR_END_GRACE_S if self._plan.far_end_hangs_up else 0.0
                if now_s >= dialog.answered_s + self._plan.talk_seconds + grace_s:
                    self._callers.hang_up(caller, now_s)
        if self._placed < self._calls and len(self._live) < self._plan.concurrent:
            self._placed += 1
            self._live.add(self._callers.place())

    def _note(self, caller: Caller) -> None:
        dialog = caller.dialog
        if dialog.state is DialogState.FAILED:
            self.failures.append(dialog.failure)
        elif caller.hearing.first_packet_s is None:
            self.failures.append("no RTP")
        self.ended_by_caller += dialog.ended_by == "caller"
        self.ended_by_far_end += dialog.ended_by == "far_end"
        self.setups_s.append(setup_time_s(caller))
        self.first_rtps_s.append(first_rtp_time_s(caller))
        self._live.remove(caller)
        self._callers.forget(caller)


def run_churn(plan: ChurnPlan, on_progress: OnProgress) -> ChurnResult:
    """Place and end the calls. Raises `RemoteError` when the target is not there."""
    with realtime(), Loop() as loop:  # phones have processors of their own
        callers = Callers(loop, plan.aim)
        wait_ready(loop, callers, plan.aim)
        warm_up = _Round(loop, callers, plan, WARM_UP_ROUNDS * plan.concurrent)
        warm_up.run("warming up", on_progress)
        before = roles_usage(plan.aim.tree_pid)
        callers.restart_measurement(())
        own_s, begin_s = time.process_time(), time.monotonic()
        main = _Round(loop, callers, plan, plan.calls)
        main.run("calling", on_progress)
        wall_s = time.monotonic() - begin_s
        health = callers.health((time.process_time() - own_s) / wall_s)
        after = _settled_usage(loop, plan, before)
        failures = [*warm_up.failures, *main.failures]
        if plan.far_end_hangs_up and main.ended_by_far_end < FAR_END_SHARE * plan.calls:
            failures.append(f"the far end ended only {main.ended_by_far_end} calls")
        return ChurnResult(
            machine=this_machine(),
            calls=plan.calls,
            concurrent=plan.concurrent,
            seconds=round(wall_s, 1),
            failures=tuple(failures),
            ended_by_caller=main.ended_by_caller,
            ended_by_far_end=main.ended_by_far_end,
            setup=distribution(main.setups_s),
            first_rtp=distribution(main.first_rtps_s),
            growth=growth_by_role(before, after),
            instrument=health,
        )


def growth_by_role(before: Mapping[Role, Usage], after: Mapping[Role, Usage]) -> tuple[Growth, ...]:
    """What each role held at both times, and last the whole tree; empty without a tree."""
    roles = [role for role in Role if role in before or role in after]
    grown = [Growth(role.value, before.get(role, Usage()), after.get(role, Usage())) for role in roles]
    if grown:
        grown.append(Growth("total", sum(before.values(), Usage()), sum(after.values(), Usage())))
    return tuple(grown)


def _settled_usage(loop: Loop, plan: ChurnPlan, before: Mapping[Role, Usage]) -> Mapping[Role, Usage]:
    """The tree's usage once it is within tolerance of `before`, or when waiting longer is no use."""
    deadline_s = time.time() + _SETTLE_S
    while True:
        after = roles_usage(plan.aim.tree_pid)
        growth = growth_by_role(before, after)
        if not growth or plan.tolerance.allows(growth[-1].gained) or time.time() >= deadline_s:
            return after
        loop.run_until(lambda: False, time.time() + _LOOK_AT_TREE_EVERY_S)
