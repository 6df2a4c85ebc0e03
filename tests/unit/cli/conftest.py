"""Fixtures of the command line's tests."""

import pytest

from tests.unit.cli.commands import Gateway


@pytest.fixture
def gateway(capsys: pytest.CaptureFixture[str]) -> Gateway:
    return Gateway(capsys)
