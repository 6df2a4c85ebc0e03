"""The command line as a whole."""

import pytest

from tests.unit.cli.commands import Gateway

COMMANDS = [
    "run",
    "demo",
    "config",
    "calls",
    "dialplan",
    "status",
    "keys",
    "rehearse",
    "bench",
    "impair",
    "version",
]


def test_help_lists_every_command_with_what_it_does(gateway: Gateway) -> None:
    outcome = gateway("--help")
    assert outcome.status == 0
    listed = outcome.out[outcome.out.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in listed if line.strip()] == COMMANDS
    assert all(len(line.split()) > 3 for line in listed if line.strip())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(gateway: Gateway, command: str) -> None:
    outcome = gateway(command, "--help")
    assert outcome.status == 0
    assert outcome.out.startswith(f"Usage: gateway {command} ")


@pytest.mark.parametrize("command", ["run", "config check", "calls", "calls show"])
def test_help_tells_the_exit_statuses(gateway: Gateway, command: str) -> None:
    assert "Exit status:" in gateway(*command.split(), "--help").out


@pytest.mark.parametrize("arguments", [["fly"], ["run", "--fly"], ["config", "check"], ["calls", "-n", "x"]])
def test_a_wrong_command_line_is_status_2_on_standard_error(gateway: Gateway, arguments: list[str]) -> None:
    outcome = gateway(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert "Error:" in outcome.err
    assert "Traceback" not in outcome.err


def test_version(gateway: Gateway) -> None:
    outcome = gateway("version")
    assert outcome.status == 0
    assert outcome.out.startswith("gateway 0.")
    assert "aiohttp 3" in outcome.out


def test_run_refuses_a_wrong_configuration(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("c") / "gw.yaml"
    path.write_text("sip: {max_calls: lots, port: 1}\n")
    outcome = gateway("run", "--config", path)
    assert (outcome.status, outcome.out) == (2, "")
    assert [line.split(": ")[1] for line in outcome.err.splitlines()] == ["sip.max_calls", "sip.port"]


def test_run_refuses_a_wrong_dialplan(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("c")
    (directory / "gw.yaml").write_text("dialplans: plans\n")
    (directory / "plans").mkdir()
    (directory / "plans" / "a.yaml").write_text("version: 1\n")
    outcome = gateway("run", "--config", directory / "gw.yaml")
    assert outcome.status == 2
    assert outcome.err.startswith(f"{directory}/plans/a.yaml:1:1: routes: found nothing, expected a list")
