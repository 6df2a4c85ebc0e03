"""`gateway bench calls`: N calls at once, held, and what callers and machine notice of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gateway.bench.callers import Aim, Caller, Callers
from gateway.bench.clock import Loop
from gateway.bench.dialog import DialogState
from gateway.bench.result import CallsResult
from gateway.bench.summary import Window, failures_of, summarise_calls
from gateway.bench.tree import Role, Usage, cpu_by_role, read_tree, read_usage
from gateway.errors import RemoteError
from gateway.observe.priority import realtime

_PING_EVERY_S = 0.1
_ANSWER_S = 33.0
_HANG_UP_S = 5.0
_SETTLE_S = 3.0
"""Between the last answer and the measurement: jitter buffers and clocks find their place."""
_PROGRESS_EVERY_S = 0.25

OnProgress = Callable[[str, float], None]
"""Called with what is going on and the share of the whole run that is done."""


@dataclass(frozen=True, slots=True)
class CallsPlan:
    """What to do."""

    calls: int
    rate_per_s: float
    seconds: float
    aim: Aim


def wait_ready(loop: Loop, callers: Callers, aim: Aim) -> None:
    """Send OPTIONS until the target says 200. Raises `RemoteError`."""
    if not aim.ready_limit_s:
        return

    def ping(now_s: float) -> None:
        if callers.options_status != 200:
            callers.ping()
            loop.call_at(now_s + _PING_EVERY_S, ping)

    def settled() -> bool:
        return callers.options_status == 200 or not aim.alive()

    ping(time.time())
    loop.run_until(settled, time.time() + aim.ready_limit_s)
    if not aim.alive():
        raise RemoteError("the gateway ended before it was ready")
    if callers.options_status != 200:
        said = callers.options_status or "nothing"
        raise RemoteError(f"not ready after {aim.ready_limit_s:g} s: the target answers {said} to OPTIONS")


def run_calls(plan: CallsPlan, on_progress: OnProgress) -> CallsResult:
    """Place, hold and end the calls. Raises `RemoteError` when the target is not there."""
    with realtime(), Loop() as loop:  # phones have processors of their own
        callers = Callers(loop, plan.aim)
        wait_ready(loop, callers, plan.aim)
        before = tree_usage(plan.aim.tree_pid)
        _Progress(loop, on_progress, plan)
        placed = _place_all(loop, callers, plan)
        window = _hold(loop, callers, placed, plan)
        failures = failures_of(placed)
        up = [caller for caller in placed if caller.dialog.state is DialogState.UP]
        _hang_up_all(loop, callers, up)
        failures += [caller.dialog.failure for caller in up if caller.dialog.state is DialogState.FAILED]
        window = replace(window, before=before, after=tree_usage(plan.aim.tree_pid))
        return summarise_calls(placed, len(up), failures, window)


class _Progress:
    """Tells how far the run is, four times a second."""

    def __init__(self, loop: Loop, on_progress: OnProgress, plan: CallsPlan) -> None:
        self._loop, self._on_progress = loop, on_progress
        self._begin_s = time.time()
        self._placing_s = plan.calls / plan.rate_per_s
        self._total_s = self._placing_s + _SETTLE_S + plan.seconds
        self._tick(self._begin_s)

    def _tick(self, now_s: float) -> None:
        passed_s = now_s - self._begin_s
        doing = "placing calls" if passed_s < self._placing_s else "settling"
        if passed_s >= self._placing_s + _SETTLE_S:
            doing = "measuring"
        self._on_progress(doing, min(1.0, passed_s / self._total_s))
        self._loop.call_at(now_s + _PROGRESS_EVERY_S, self._tick)


def _place_all(loop: Loop, callers: Callers, plan: CallsPlan) -> list[Caller]:
    placed: list[Caller] = []
    begin_s = time.time()

    def place(now_s: float) -> None:
        placed.append(callers.place())
        if len(placed) < plan.calls:
            loop.call_at(begin_s + len(placed) / plan.rate_per_s, place)

    loop.call_at(begin_s, place)
    settled = (DialogState.UP, DialogState.FAILED, DialogState.ENDED)

    def all_settled() -> bool:
        return len(placed) == plan.calls and all(caller.dialog.state in settled for caller in placed)

    loop.run_until(all_settled, begin_s + plan.calls / plan.rate_per_s + _ANSWER_S)
    return placed


def _hold(loop: Loop, callers: Callers, placed: Sequence[Caller], plan: CallsPlan) -> Window:
    _wait(loop, _SETTLE_S)
    early = read_tree(plan.aim.tree_pid) if plan.aim.tree_pid else {}
    own_s, begin_s = time.process_time(), time.monotonic()
    callers.restart_measurement(placed)
    _wait(loop, plan.seconds)
    wall_s, own_cpu_s = time.monotonic() - begin_s, time.process_time() - own_s
    callers.stop_measurement(placed)
    late = read_tree(plan.aim.tree_pid) if plan.aim.tree_pid else {}
    return Window(wall_s, cpu_by_role(early, late), read_usage(late), callers.health(own_cpu_s / wall_s))


def _hang_up_all(loop: Loop, callers: Callers, up: Sequence[Caller]) -> None:
    """BYE to all, spread over as many milliseconds, and their answers."""
    begin_s = time.time()
    for n, caller in enumerate(up):
        loop.call_at(begin_s + n / 1000, partial(callers.hang_up, caller))
    over = (DialogState.ENDED, DialogState.FAILED)
    done = loop.run_until(
        lambda: all(caller.dialog.state in over for caller in up), begin_s + len(up) / 1000 + _HANG_UP_S
    )
    if not done:
        for caller in up:
            caller.dialog.abandon()


def _wait(loop: Loop, seconds: float) -> None:
    loop.run_until(lambda: False, time.time() + seconds)


def roles_usage(pid: int | None) -> Mapping[Role, Usage]:
    """What the processes of a tree hold, by role; empty without a tree."""
    return {} if pid is None else read_usage(read_tree(pid))


def tree_usage(pid: int | None) -> Usage | None:
    """What a tree of processes holds, None without a tree."""
    return None if pid is None else sum(roles_usage(pid).values(), Usage())
