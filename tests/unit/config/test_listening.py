"""Which listening addresses other machines can reach."""

import pytest

from gateway.config.listening import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"])
def test_only_this_machine(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "gateway.example", "localhost.example"])
def test_others_too(address: str) -> None:
    assert not is_loopback(address)
