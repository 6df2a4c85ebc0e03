"""The command as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("aiohttp", "numpy", "pjsua2", "pydantic", "rich", "ruamel", "sqlalchemy", "structlog", "uvloop")
"""Packages that cost start-up time and that help does not need."""


def _gateway(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        timeout=60,
    )


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from gateway.cli.main import main; status = main(['--help'])\n"
        f"print(status, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "0 []\n"
    assert done.stdout.startswith("Usage: gateway ")


def test_the_installed_command_and_the_module_are_the_same() -> None:
    script = Path(sys.executable).parent / "gateway"
    installed = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert installed.stdout == _gateway("--help").stdout


def test_a_wrong_configuration_is_status_2_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "gw.yaml"
    path.write_text("sip: {max_calls: lots}\n")
    done = _gateway("run", "--config", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == f'{path}:1:18: sip.max_calls: found "lots", expected a whole number from 1 to 2000\n'
    )


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "config", "schema"],
            stdout=write_end,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(write_end)
    assert done.stderr == ""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_terminal_encoding_gets_its_errors(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "gw.yaml"
    path.write_text("node: {name: Grüße}\n", encoding="utf-8")
    terminal = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = _gateway("config", "check", str(path), environment=terminal)
    assert done.returncode == 2
    assert "node.name" in done.stderr
    assert "Traceback" not in done.stderr

    path.write_text("agents: {a: {backend: openai_realtime, greeting: Grüße}}\n", encoding="utf-8")
    done = _gateway("config", "check", "--print", str(path), environment=terminal)
    assert (done.returncode, done.stderr) == (0, "")
    assert "greeting: Gr" in done.stdout
