"""Which profiles are encrypted, and which digests can be trusted."""

import pytest

from gateway.core.secure_media import is_secure, is_trusted


@pytest.mark.parametrize(
    "profile", ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF", "RTP/SAVP"]
)
def test_encrypted(profile: str) -> None:
    assert is_secure(profile)


@pytest.mark.parametrize(
    "profile", ["", "RTP/AVP", "RTP/AVPF", "UDP/TLS/RTP/AVP", "TLS/RTP/SAVPF", "RTP/SAVPFX", "rtp/savpf"]
)
def test_open(profile: str) -> None:
    assert not is_secure(profile)


@pytest.mark.parametrize(
    ("digest", "trusted"),
    [("sha-256", True), ("SHA-384", True), ("sha-512", True), ("sha-1", False), ("md5", False), ("", False)],
)
def test_digests(digest: str, trusted: bool) -> None:
    assert is_trusted(digest) is trusted
