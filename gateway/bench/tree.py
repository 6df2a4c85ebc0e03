"""What a tree of processes costs: CPU time, memory and file descriptors, read from /proc (Linux).

CPU time is utime + stime of all threads; it counts in ticks of 10 ms, which over a window of many seconds
and a tree of many processes averages out. Memory is PSS: pages shared by n processes count 1/n in each.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_TEMPLATE_MODULE = "gateway.cards.sip.template"


class Role(StrEnum):
    """What a process of the gateway does."""

    EDGE = "edge"
    CORE = "core"
    CARD = "card"
    TEMPLATE = "template"
    BOT = "bot"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment."""

    pid: int
    parent_pid: int
    command: tuple[str, ...]
    cpu_s: float


class Usage(msgspec.Struct, frozen=True):
    """What the processes of one role, or of the whole tree, hold."""

    processes: int = 0
    pss_kib: int = 0
    fds: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.processes + other.processes, self.pss_kib + other.pss_kib, self.fds + other.fds)

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.processes - other.processes, self.pss_kib - other.pss_kib, self.fds - other.fds)


def role_of(process: Process, tree: Mapping[int, Process]) -> Role:
    """The role, by command line; a card is forked from the template and keeps its command line."""
    words = process.command
    if _TEMPLATE_MODULE in words:
        parent = tree.get(process.parent_pid)
        return Role.CARD if parent is None or _TEMPLATE_MODULE in parent.command else Role.TEMPLATE
    if "gateway.app" in words:
        return Role.CORE
    if "gateway.bot" in words:
        return Role.BOT
    is_gateway = "gateway" in words or any(word.endswith("/gateway") for word in words[:2])
    return Role.EDGE if is_gateway and "run" in words else Role.OTHER


def parse_stat(text: str) -> tuple[int, float]:
    """Parent's pid and CPU seconds out of /proc/PID/stat (fields 4, 14 and 15 of proc(5))."""
    # The command name in parentheses may itself hold blanks and parentheses.
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def parse_pss_kib(text: str) -> int:
    """Proportional set size out of /proc/PID/smaps_rollup."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def descendants(root: int, everyone: Mapping[int, Process]) -> dict[int, Process]:
    """The root, if it lives, and all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for process in everyone.values():
        children[process.parent_pid].append(process.pid)
    tree: dict[int, Process] = {}
    queue = [root]
    while queue:
        pid = queue.pop()
        if pid in everyone and pid not in tree:
            tree[pid] = everyone[pid]
            queue += children[pid]
    return tree


def cpu_by_role(before: Mapping[int, Process], after: Mapping[int, Process]) -> dict[Role, float]:
    """CPU seconds each role spent between two looks; a process that began in between counts whole."""
    spent: dict[Role, float] = defaultdict(float)
    for pid, process in after.items():
        earlier = before.get(pid)
        spent[role_of(process, after)] += process.cpu_s - (earlier.cpu_s if earlier else 0.0)
    return dict(spent)


def read_tree(root: int) -> dict[int, Process]:
    """The living processes below `root`, itself included."""
    everyone: dict[int, Process] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            process = _read_process(int(entry.name))
            if process is not None:
                everyone[process.pid] = process
    return descendants(root, everyone)


def read_usage(tree: Mapping[int, Process]) -> dict[Role, Usage]:
    """Memory and descriptors by role. Takes milliseconds per process: not within a measurement."""
    usage: dict[Role, Usage] = defaultdict(Usage)
    for pid, process in tree.items():
        found = _read_usage(pid)
        if found is not None:
            usage[role_of(process, tree)] += found
    return dict(usage)


def _read_process(pid: int) -> Process | None:
    directory = Path("/proc", str(pid))
    try:
        parent, cpu_s = parse_stat((directory / "stat").read_text())
        command = (directory / "cmdline").read_bytes()
    except OSError:  # it has just ended
        return None
    return Process(pid, parent, tuple(command.decode(errors="replace").split("\0")), cpu_s)


def _read_usage(pid: int) -> Usage | None:
    directory = Path("/proc", str(pid))
    try:
        pss_kib = parse_pss_kib((directory / "smaps_rollup").read_text())
        return Usage(1, pss_kib, len(os.listdir(directory / "fd")))
    except OSError:  # it has just ended
        return None
