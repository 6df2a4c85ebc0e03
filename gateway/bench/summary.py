"""Turns what the callers noted into a result. Pure apart from reading what machine this is."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.callers import Caller
from gateway.bench.dialog import DialogState
from gateway.bench.measure import distribution
from gateway.bench.result import (
    CallsResult,
    InstrumentHealth,
    Machine,
    RoleCost,
    describe_machine,
)
from gateway.bench.tree import Role, Usage


@dataclass(frozen=True, slots=True)
class Window:
    """What the machine spent while the calls were held."""

    wall_s: float
    cpu_s: Mapping[Role, float]
    usage: Mapping[Role, Usage]
    """Empty when no process tree is accounted."""
    instrument: InstrumentHealth
    before: Usage | None = None
    after: Usage | None = None


def failures_of(placed: Sequence[Caller]) -> list[str]:
    """Why calls that should be up and talking are not."""
    return [why for caller in placed if (why := _failure(caller))]


def _failure(caller: Caller) -> str:
    state = caller.dialog.state
    if state is DialogState.FAILED:
        return caller.dialog.failure
    if state is DialogState.ENDED:
        return "hung up by the far end"
    if state is not DialogState.UP:
        return "no answer"
    return "" if caller.hearing.received else "no RTP while the call was held"


def setup_time_s(caller: Caller) -> float | None:
    """INVITE → 200, None for a call without an answer."""
    dialog = caller.dialog
    if dialog.answered_s is None or dialog.invited_s is None:
        return None
    return dialog.answered_s - dialog.invited_s


def first_rtp_time_s(caller: Caller) -> float | None:
    """200 → first RTP; negative where early media came before the answer."""
    first_s, answered_s = caller.hearing.first_packet_s, caller.dialog.answered_s
    return None if first_s is None or answered_s is None else first_s - answered_s


def summarise_calls(
    placed: Sequence[Caller], up: int, failures: Sequence[str], window: Window
) -> CallsResult:
    """The result of a run of held calls."""
    hearings = [caller.hearing for caller in placed]
    return CallsResult(
        machine=this_machine(),
        calls=len(placed),
        seconds=round(window.wall_s, 2),
        failures=tuple(failures),
        setup=distribution(map(setup_time_s, placed)),
        first_rtp=distribution(map(first_rtp_time_s, placed)),
        packet_gap=distribution(gap for hearing in hearings for gap in hearing.gaps_s),
        packets_received=sum(hearing.received for hearing in hearings),
        packets_lost=sum(hearing.lost for hearing in hearings),
        clicks_lost=sum(hearing.clicks_lost for hearing in hearings),
        click_round_trip=distribution(trip for hearing in hearings for trip in hearing.round_trips_s),
        cost=tuple(_cost(role.value, [role], window, up) for role in Role if role in window.usage),
        total=_cost("total", list(window.usage), window, up) if window.usage else None,
        before=window.before,
        after=window.after,
        instrument=window.instrument,
    )


def _cost(name: str, roles: Sequence[Role], window: Window, up: int) -> RoleCost:
    share = sum(window.cpu_s.get(role, 0.0) for role in roles) / window.wall_s
    usage = sum((window.usage[role] for role in roles), Usage())
    return RoleCost(
        role=name,
        processes=usage.processes,
        cpu_percent=round(100 * share, 1),
        cpu_percent_per_call=round(100 * share / up, 3) if up else None,
        pss_mib=round(usage.pss_kib / 1024, 1),
        fds=usage.fds,
    )


def this_machine() -> Machine:
    """CPU, cores, kernel and Python of this machine."""
    return describe_machine(Path("/proc/cpuinfo").read_text(), os.cpu_count() or 1)
