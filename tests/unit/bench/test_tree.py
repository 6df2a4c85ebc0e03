"""The cost of a process tree, from what /proc says."""

import pytest

from gateway.bench.tree import (
    Process,
    Role,
    Usage,
    cpu_by_role,
    descendants,
    parse_pss_kib,
    parse_stat,
    role_of,
)

_TEMPLATE = ("python", "-m", "gateway.cards.sip.template", "")


def _tree(*processes: Process) -> dict[int, Process]:
    return {process.pid: process for process in processes}


def _gateway(cpu_s: float) -> dict[int, Process]:
    return _tree(
        Process(10, 1, ("python", "-m", "gateway", "run", "--config", "x", ""), cpu_s),
        Process(11, 10, ("python", "-m", "gateway.app", ""), cpu_s),
        Process(12, 10, _TEMPLATE, cpu_s),
        Process(13, 12, _TEMPLATE, cpu_s),
        Process(14, 12, _TEMPLATE, cpu_s),
        Process(15, 10, ("python", "-m", "gateway.bot", "--socket", "s", ""), cpu_s),
        Process(16, 10, ("sh", ""), cpu_s),
    )


def test_roles_by_command_line_and_parent() -> None:
    tree = _gateway(0)
    roles = [role_of(tree[pid], tree) for pid in sorted(tree)]
    assert roles == [Role.EDGE, Role.CORE, Role.TEMPLATE, Role.CARD, Role.CARD, Role.BOT, Role.OTHER]


@pytest.mark.parametrize(
    "command", [("/venv/bin/python", "/venv/bin/gateway", "run"), ("/bin/gateway", "run")]
)
def test_the_installed_command_is_the_edge_too(command: tuple[str, ...]) -> None:
    assert role_of(Process(1, 0, command, 0), {}) is Role.EDGE
    assert role_of(Process(1, 0, (*command[:-1], "bench"), 0), {}) is Role.OTHER


def test_a_card_whose_template_died_is_still_a_card() -> None:
    orphan = Process(13, 1, _TEMPLATE, 0)
    assert role_of(orphan, {13: orphan}) is Role.CARD


def test_stat_with_a_name_that_looks_like_fields() -> None:
    tail = " ".join(str(n) for n in range(4, 53))
    parent, cpu_s = parse_stat(f"77 (a) R 1 (x) S {tail}")
    assert parent == 4
    assert cpu_s == pytest.approx((14 + 15) / 100)


def test_pss_and_a_kernel_thread_without_it() -> None:
    assert parse_pss_kib("Rss:  9 kB\nPss:               6812 kB\nPss_Anon:  5 kB\n") == 6812
    assert parse_pss_kib("") == 0


def test_descendants_of_the_root_only() -> None:
    everyone = _gateway(0) | _tree(Process(99, 1, ("other",), 0), Process(98, 99, ("other",), 0))
    assert set(descendants(10, everyone)) == {10, 11, 12, 13, 14, 15, 16}
    assert set(descendants(99, everyone)) == {98, 99}
    assert descendants(12345, everyone) == {}


def test_cpu_of_new_processes_counts_whole_and_of_ended_ones_not() -> None:
    before, after = _gateway(1.0), _gateway(1.5)
    del before[14], after[16]
    spent = cpu_by_role(before, after)
    assert spent == {
        Role.EDGE: 0.5,
        Role.CORE: 0.5,
        Role.TEMPLATE: 0.5,
        Role.CARD: 0.5 + 1.5,
        Role.BOT: 0.5,
    }


def test_usage_adds_and_subtracts() -> None:
    assert Usage(1, 100, 5) + Usage(2, 50, 1) == Usage(3, 150, 6)
    assert Usage(1, 100, 5) - Usage(2, 50, 1) == Usage(-1, 50, 4)
