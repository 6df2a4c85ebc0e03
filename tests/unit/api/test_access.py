"""Who counts as a program on this machine, and as a page of our own."""

import pytest

from gateway.api.access import is_local
from gateway.api.origins import same_origin


@pytest.mark.parametrize("remote", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]", "[::1]:80", "10.0.0.1"]
)
def test_local(remote: str, host: str) -> None:
    assert is_local(remote, host, proxied=False)
    assert not is_local(remote, host, proxied=True)


@pytest.mark.parametrize(
    ("remote", "host"),
    [
        ("192.0.2.1", "localhost"),
        ("::ffff:192.0.2.1", "localhost"),
        (None, "localhost"),
        ("", "localhost"),
        ("127.0.0.1", "rebound.example"),
        ("127.0.0.1", "localhost.example:80"),
        ("127.0.0.1", ""),
    ],
)
def test_not_local(remote: str | None, host: str) -> None:
    assert not is_local(remote, host, proxied=False)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://gw.example", "gw.example", True),
        ("https://GW.example:8443", "gw.example:8443", True),
        ("https://gw.example:8443", "gw.example", False),
        ("https://evil.example", "gw.example", False),
        ("null", "gw.example", False),
        ("null", "", False),
        ("http://[", "gw.example", False),
    ],
)
def test_same_origin(origin: str, host: str, same: bool) -> None:
    assert same_origin(origin, host) is same
