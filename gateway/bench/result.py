"""What a bench run found, as it is printed and written as JSON. Units are in the names."""

import platform
from pathlib import Path

import msgspec

from gateway.bench.measure import Distribution
from gateway.bench.tree import Usage


class RoleCost(msgspec.Struct, frozen=True):
    """What the processes of one role took while the calls were held."""

    role: str
    processes: int
    cpu_percent: float
    """Of one core."""
    cpu_percent_per_call: float | None
    pss_mib: float
    fds: int


class InstrumentHealth(msgspec.Struct, frozen=True):
    """Whether the callers themselves were in time; if not, the figures say little about the gateway."""

    cpu_percent: float
    """Of one core, which the callers' process cannot exceed."""
    lateness: Distribution
    """Of the phones' 20 ms clocks."""
    clock_jumps: int
    """Times the callers fell so far behind that they left audio out."""
    unsent: int
    """Packets that the kernel did not take."""

    @property
    def complaints(self) -> list[str]:
        """What makes the figures doubtful."""
        found = []
        if self.cpu_percent > 80:
            found.append(f"the callers used {self.cpu_percent:g} % of their core; use fewer calls per bench")
        if (self.lateness.p99_ms or 0) > 10:
            found.append(f"the callers' clocks were late by {self.lateness.p99_ms} ms (p99): machine busy")
        if self.clock_jumps or self.unsent:
            found.append(f"the callers left out audio {self.clock_jumps} times, {self.unsent} packets unsent")
        return found


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    cpu: str
    cores: int
    kernel: str
    python: str


class CallsResult(msgspec.Struct, frozen=True):
    """Outcome of `gateway bench calls`."""

    machine: Machine
    calls: int
    seconds: float
    """Length of the measurement, all calls up."""
    failures: tuple[str, ...]
    """One text per failed call."""
    setup: Distribution
    """INVITE sent → 200 received."""
    first_rtp: Distribution
    """200 received → first RTP packet received."""
    packet_gap: Distribution
    packets_received: int
    packets_lost: int
    clicks_lost: int
    """Not heard within two seconds."""
    click_round_trip: Distribution
    """Packet with a click sent → packet with that click received."""
    cost: tuple[RoleCost, ...]
    """Empty when no process tree was accounted."""
    total: RoleCost | None
    before: Usage | None
    """Of the whole tree, before the first call."""
    after: Usage | None
    """Of the whole tree, when the last call had ended."""
    instrument: InstrumentHealth

    @property
    def lost_percent(self) -> float | None:
        """Share of the packets that should have come."""
        expected = self.packets_received + self.packets_lost
        return round(100 * self.packets_lost / expected, 3) if expected else None


class Growth(msgspec.Struct, frozen=True):
    """What the processes of one role held after the warm-up and at the end."""

    role: str
    before: Usage
    after: Usage

    @property
    def gained(self) -> Usage:
        """What is more at the end."""
        return self.after - self.before


class ChurnResult(msgspec.Struct, frozen=True):
    """Outcome of `gateway bench churn`."""

    machine: Machine
    calls: int
    concurrent: int
    seconds: float
    failures: tuple[str, ...]
    ended_by_caller: int
    ended_by_far_end: int
    setup: Distribution
    first_rtp: Distribution
    growth: tuple[Growth, ...]
    """By role; the last is the whole tree. Empty when no process tree was accounted."""
    instrument: InstrumentHealth


def describe_machine(cpuinfo: str, cores: int) -> Machine:
    """This machine; `cpuinfo` is the text of /proc/cpuinfo."""
    models = (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if "model name" in line)
    return Machine(
        cpu=next(models, platform.machine()),
        cores=cores,
        kernel=platform.release(),
        python=platform.python_version(),
    )


def write_json(result: CallsResult | ChurnResult, path: Path) -> None:
    """Write a result as indented JSON. Raises OSError."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
