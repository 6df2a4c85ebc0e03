"""Scenarios run in virtual time."""

from collections.abc import Callable, Mapping

from tests.scenarios.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], VirtualLoop]]:
    """Every asynchronous test of this directory gets a virtual loop."""
    return {"virtual": VirtualLoop}
