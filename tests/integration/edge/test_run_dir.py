"""One gateway per directory."""

import os
from pathlib import Path

import pytest

from gateway.edge.rundir import PID_FILE, CannotStartError, held_run_dir


def test_it_is_private_and_names_its_owner(tmp_path: Path) -> None:
    with held_run_dir(tmp_path / "a" / "run") as run_dir:
        assert run_dir.stat().st_mode & 0o777 == 0o700
        assert int((run_dir / PID_FILE).read_text()) == os.getpid()
    assert (run_dir / PID_FILE).read_text() == ""


def test_a_second_gateway_is_told_who_is_there(tmp_path: Path) -> None:
    refused = pytest.raises(CannotStartError, match=f"pid {os.getpid()}")
    with held_run_dir(tmp_path), refused, held_run_dir(tmp_path):
        pytest.fail("two at once")
    with held_run_dir(tmp_path):
        pass


def test_a_path_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match="too long"), held_run_dir(tmp_path / ("x" * 100)):
        pytest.fail("that can't work")


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(CannotStartError, match="run_dir"), held_run_dir(tmp_path / "run"):
        pytest.fail("that can't work")
