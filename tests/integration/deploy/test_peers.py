"""How `deploy/test` gets the test peers: on a machine that seems to have none of the programs."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOLS = ("sh", "dirname", "id", "mktemp", "tail", "rm", "cat", "touch", "chmod")

APT = """\
#!/bin/sh
echo "$*" >>{log}
case $1 in
    install) {install} ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A clone, and the only directory in which programs are found."""

    root: Path
    programs: Path
    apt_log: Path

    def apt(self, install: str) -> None:
        """Give it an apt-get whose `install` runs this shell command."""
        self.program(self.programs / "apt-get", APT.format(log=self.apt_log, install=install))

    def test(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `deploy/test tests/unit`."""
        return subprocess.run(
            [self.programs / "sh", self.root / "deploy/test", "tests/unit"],
            env={"PATH": str(self.programs), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    @staticmethod
    def program(path: Path, text: str) -> None:
        """Write an executable script."""
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root, programs = tmp_path / "clone", tmp_path / "bin"
    for directory in (root / "deploy", root / ".venv/bin", programs):
        directory.mkdir(parents=True)
    shutil.copy(ROOT / "deploy/test", root / "deploy/test")
    (root / "deploy/setup").write_text("exit 0\n")
    python = root / ".venv/bin/python"
    python.write_text('#!/bin/sh\necho "ran: $*"\n')
    python.chmod(0o755)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (programs / tool).symlink_to(found)
    # The installing user matters; what these tests are about is what follows from being root.
    (programs / "id").unlink()
    Machine.program(programs / "id", "#!/bin/sh\necho 0\n")
    return Machine(root, programs, tmp_path / "apt.log")


WANTED = "sip-tester baresip flite chromium"


def test_root_installs_what_is_missing_and_goes_on(machine: Machine) -> None:
    made = " ".join(str(machine.programs / name) for name in ("sipp", "baresip", "flite", "chromium"))
    machine.apt(f"touch {made}; chmod 755 {made}")
    done = machine.test(CI="true")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "ran: -m pytest tests/unit"
    assert (
        machine.apt_log.read_text().split("\n")[0].startswith("install -y --no-install-recommends sip-tester")
    )


def test_an_apt_that_needs_its_lists_first(machine: Machine) -> None:
    made = " ".join(str(machine.programs / name) for name in ("sipp", "baresip", "flite", "chromium"))
    updated = machine.root / "updated"
    machine.apt(f"[ -e {updated} ] || {{ touch {updated}; exit 100; }}; touch {made}; chmod 755 {made}")
    done = machine.test()
    assert done.returncode == 0
    assert [line.split()[0] for line in machine.apt_log.read_text().splitlines()] == [
        "install",
        "update",
        "install",
    ]


def test_the_ci_stops_when_peers_stay_missing(machine: Machine) -> None:
    machine.apt("echo no such package >&2; exit 100")
    done = machine.test(CI="true")
    assert done.returncode == 1
    assert f"these test peers are missing: apt install {WANTED}" in done.stderr
    assert "no such package" in done.stderr
    assert "ran:" not in done.stdout


def test_elsewhere_the_rest_is_tested_without_them(machine: Machine) -> None:
    done = machine.test()
    assert done.returncode == 0
    assert f"these test peers are missing: apt install {WANTED}" in done.stderr
    assert "going on without the tests that need them" in done.stderr
    assert "ran: -m pytest tests/unit" in done.stdout


def test_an_ordinary_user_is_told_what_to_install(machine: Machine) -> None:
    machine.apt("exit 0")
    Machine.program(machine.programs / "id", "#!/bin/sh\necho 1000\n")
    done = machine.test(CI="true")
    assert done.returncode == 1
    assert WANTED in done.stderr
    assert not machine.apt_log.exists()
