"""ICE user name fragments that say where a WebRTC peer lives, signed so that nobody else can make one.

A card gives each peer a socket of its own on the loopback interface and names its port in the
peer's ufrag. The relay reads the ufrag in the first STUN message of a client and knows the way
without asking anybody. Without the signature a stranger could point the relay at any local port.

    20 characters = base64 of <port u16, nonce 5 bytes, HMAC-SHA256 over both, cut to 8 bytes>

Base64's alphabet without padding is exactly `ice-char` (RFC 8839 section 5.4), 15 bytes need no padding,
and 40 random bits are more than the 24 that the section asks for. Pure but for the nonce.
"""

import base64
import hmac
import secrets
import struct
from typing import Final

SECRET_VARIABLE: Final = "GATEWAY_UFRAG_SECRET"
"""Environment variable in which cards and relay workers get the run's secret, in hexadecimal."""

SECRET_BYTES: Final = 32

UFRAG_CHARS: Final = 20
"""Length of every ufrag made here; 256 is the most that RFC 8839 allows, 32 what WebRTC peers send."""

_HEAD: Final = struct.Struct(">H5s")
_MAC_BYTES: Final = 8


def encode(card_port: int, secret: bytes) -> str:
    """A new ufrag for the peer behind the loopback UDP port `card_port`; another one on every call.

    Raises `ValueError` if it is no port.
    """
    if not 1 <= card_port <= 65535:
        raise ValueError(f"{card_port} is no UDP port")
    head = _HEAD.pack(card_port, secrets.token_bytes(5))
    return base64.b64encode(head + _mac(head, secret)).decode()


def decode(ufrag: str, secret: bytes) -> int | None:
    """The port that `ufrag` names, or None if it was not made with `secret`."""
    if len(ufrag) != UFRAG_CHARS:
        return None
    try:
        raw = base64.b64decode(ufrag, validate=True)
    except ValueError:  # padding in the middle, characters beyond ASCII
        return None
    head, mac = raw[: _HEAD.size], raw[_HEAD.size :]
    if not hmac.compare_digest(mac, _mac(head, secret)):
        return None
    port: int = _HEAD.unpack(head)[0]
    return port or None


def _mac(head: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, head, "sha256")[:_MAC_BYTES]
