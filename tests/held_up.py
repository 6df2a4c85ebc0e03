"""Was the machine itself to blame? What a failed test may say for itself, and which tests are run once more.

Phones, browsers and media processes here run on real time, and a machine that stands still for a tenth of
a second spoils them. A process of its own notices how late it wakes up. `--failures FILE` notes each failed
test with the longest such delay during the test; `--again FILE` runs just those. `deploy/test` runs a failed
test once more, alone, if it was held up, and says so. A failure on a machine that ran is a failure.
"""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

_SPOILT_MS = 100
"""Five frames: more than the jitter buffers here put up with."""
_WATCH = """
import sys, time
out = open(sys.argv[1], "w")
due = time.monotonic() + 0.01
print("ready", flush=True)
while True:
    time.sleep(max(0.0, due - time.monotonic()))
    now = time.monotonic()
    if now - due > 0.02:
        print(now, now - due, file=out, flush=True)
    due = now + 0.01
"""
_HELD_UP = "held_up_ms"
_DELAYS = pytest.StashKey[Path]()
_BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("machine")
    group.addoption(
        "--failures", type=Path, metavar="FILE", help="note failed tests and how held up they were"
    )
    group.addoption("--again", type=Path, metavar="FILE", help="run only the tests that FILE notes")


@pytest.fixture(scope="session", autouse=True)
def _watch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Watches the machine for the whole run, in each worker."""
    if request.config.getoption("--failures") is None:
        yield
        return
    delays = tmp_path_factory.getbasetemp() / "delays"
    with subprocess.Popen([sys.executable, "-c", _WATCH, str(delays)], stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == b"ready\n"
        request.config.stash[_DELAYS] = delays
        yield
        watch.kill()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test begins."""
    item.stash[_BEGAN] = time.monotonic()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell with a failure what the longest delay was so far."""
    report = yield
    delays = item.config.stash.get(_DELAYS, None)
    if report.failed and delays is not None:
        rows = [line.split() for line in delays.read_text().splitlines() if line.count(" ") == 1]
        late_s = max((float(late) for at, late in rows if float(at) >= item.stash[_BEGAN]), default=0.0)
        report.user_properties.append((_HELD_UP, round(late_s * 1000)))
        report.sections.append(("machine", f"held up for {round(late_s * 1000)} ms"))
    return report


class _Notes:
    """Writes the file, in the process that hears of all tests."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One outcome; a worker that died has no delay to tell of."""
        if report.failed:
            self._note(report.nodeid, dict(report.user_properties).get(_HELD_UP, 0))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read is never excused."""
        if report.failed:
            self._note(report.nodeid, 0)

    def _note(self, test: str, held_up_ms: object) -> None:
        with self._path.open("a") as out:
            out.write(json.dumps({"test": test, _HELD_UP: held_up_ms}) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Who notes."""
    path = config.getoption("--failures")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Notes(path))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--again` only what was noted."""
    noted = config.getoption("--again")
    if noted is not None:
        wanted = {json.loads(line)["test"] for line in noted.read_text().splitlines()}
        items[:] = [item for item in items if item.nodeid in wanted]
        if len(items) != len(wanted):
            raise pytest.UsageError(f"{noted}: some of its tests are not there")


def excused(noted: Path, most: int = 5) -> bool:
    """Whether all failures may be tried once more: few, and each on a machine that stood still."""
    entries = [json.loads(line) for line in noted.read_text().splitlines()]
    tests = {entry["test"] for entry in entries}
    return 0 < len(tests) <= most and all(entry[_HELD_UP] >= _SPOILT_MS for entry in entries)


if __name__ == "__main__":
    sys.exit(0 if excused(Path(sys.argv[1])) else 1)
