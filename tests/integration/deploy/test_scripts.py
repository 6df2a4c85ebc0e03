"""The shell scripts in deploy/, run by dash as on a fresh Debian, on copies without an environment."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
SCRIPTS = ["deploy/setup", "deploy/run", "deploy/test", ".ci/run"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory with a blank in its name that holds what the scripts read."""
    root = tmp_path / "a clone"
    for name in [*SCRIPTS, "deploy/constraints.txt", "pyproject.toml"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


def _fake_python(directory: Path, body: str) -> Path:
    path = directory / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def _setup(clone: Path, python: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(clone / "deploy" / "setup")],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_plain_sh_and_executable(script: str) -> None:
    path = ROOT / script
    assert path.read_text().startswith("#!/bin/sh\n")
    assert path.stat().st_mode & 0o111 == 0o111
    subprocess.run(["sh", "-n", str(path)], check=True, timeout=10)


def test_the_ci_runs_the_test_script_and_nothing_else() -> None:
    lines = [
        line
        for line in (ROOT / ".ci/run").read_text().splitlines()
        if not line.startswith(("#", "set", "cd"))
    ]
    assert lines == ["exec sh deploy/test"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('[ "$1" = --version ] && { echo "Python 3.10.1"; exit 0; }; exit 1', "found Python 3.10.1"),
        ('[ "$1" = --version ] && { echo "Python 3.13.0"; exit 0; }; exit 1', "found Python 3.13.0"),
        ("exit 127", "found no working Python"),
    ],
)
def test_an_unsuitable_python_is_refused_in_one_line(
    clone: Path, tmp_path: Path, body: str, found: str
) -> None:
    done = _setup(clone, _fake_python(tmp_path, body))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"setup: {found}, need Python 3.11 or 3.12: apt install python3")
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_says_what_to_install(clone: Path, tmp_path: Path) -> None:
    without_venv = f'case "$*" in *ensurepip*) exit 1 ;; esac; exec {sys.executable} "$@"'
    done = _setup(clone, _fake_python(tmp_path, without_venv))
    assert done.returncode == 1
    assert done.stderr == "setup: Python's venv module is missing: apt install python3-venv\n"
    assert not (clone / ".venv").exists()


def test_an_unknown_option_is_refused(clone: Path) -> None:
    done = subprocess.run(
        ["sh", str(clone / "deploy/setup"), "--fast"], capture_output=True, text=True, check=False, timeout=10
    )
    assert (done.returncode, done.stderr) == (1, "usage: sh deploy/setup [--test]\n")


def _pins() -> dict[str, str]:
    """Pinned versions that apply to this interpreter."""
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    applying = [pin for pin in wanted if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in applying}


def _needed(name: str, extras: frozenset[str], seen: dict[str, str]) -> None:
    """Collect the versions of a package's dependencies, however deep."""
    for line in distribution(name).requires or ():
        wanted = Requirement(line)
        applies = wanted.marker is None or any(
            wanted.marker.evaluate({"extra": extra}) for extra in (*extras, "")
        )
        key = canonicalize_name(wanted.name)
        if applies and (key not in seen or wanted.extras):
            seen[key] = distribution(key).version
            _needed(key, frozenset(wanted.extras), seen)


def test_everything_the_project_needs_is_pinned_at_the_installed_version() -> None:
    needed: dict[str, str] = {}
    _needed("voice-gateway", frozenset({"test"}), needed)
    assert len(needed) > 40
    assert {name: version for name, version in needed.items() if _pins().get(name) != version} == {}


def test_pins_are_names_and_versions_only() -> None:
    for line in (ROOT / "deploy/constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(
            r"[\w.-]+==[\w.]+(; python_version [<>]=? '3\.\d+')?", line
        )
