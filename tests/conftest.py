"""`@pytest.mark.needs("sipp")`: what happens to tests whose peer is not installed.

With CI=true such a test fails; otherwise it is left out, and the end of the run says so.
"""

import os

import pytest

from tests.peers import PEERS, missing, peer

_LEFT_OUT = pytest.StashKey[dict[str, int]]()


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"


def _missing(item: pytest.Item) -> list[str]:
    return [name for mark in item.iter_markers("needs") for name in missing(mark.args)]


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "long: left out unless asked for; sh deploy/test -m long")
    config.addinivalue_line("markers", f"needs(*peers): programs the test runs ({', '.join(PEERS)})")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run, unless this is the CI."""
    left_out: dict[str, int] = {}
    config.stash[_LEFT_OUT] = left_out
    if _in_ci():
        return
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        absent = _missing(item)
        (dropped if absent else kept).append(item)
        for name in absent:
            left_out[name] = left_out.get(name, 0) + 1
    if dropped:
        items[:] = kept
        config.hook.pytest_deselected(items=dropped)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what is left out and how to get it back."""
    for name, count in config.stash.get(_LEFT_OUT, {}).items():
        terminalreporter.write_line(
            f"left out: {count} tests that need {name}; apt install {peer(name).package}", yellow=True
        )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """In the CI a missing peer is a failure."""
    absent = _missing(item)
    if absent:
        packages = " ".join(peer(name).package for name in absent)
        pytest.fail(f"{', '.join(absent)} not installed: apt install {packages}", pytrace=False)
