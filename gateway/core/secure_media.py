"""What makes audio that a WebRTC peer offers secure: media under DTLS-SRTP, a certificate to trust. Pure."""

import re
from typing import Final

DIGESTS: Final = ("sha-256", "sha-384", "sha-512")
"""Of certificates; RFC 8122 section 5 rules md2 and md5 out, and sha-1 has been broken since. They are
also what aiortc checks a certificate against: a handshake with none of them fails."""

_PROFILE: Final = re.compile(r"((UDP|TCP)/TLS/)?RTP/SAVPF?")


def is_secure(profile: str) -> bool:
    """Whether a profile of an m= line is audio under DTLS-SRTP (RFC 5764 section 8).

    Browsers of old left the transport out.
    """
    return _PROFILE.fullmatch(profile) is not None


def is_trusted(digest: str) -> bool:
    """Whether fingerprints made with this digest can be trusted; its case does not matter."""
    return digest.lower() in DIGESTS
