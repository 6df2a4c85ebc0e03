"""What the relay reads of a STUN message (RFC 8489), which is not more than it needs. Pure."""

import struct
from typing import Final, NamedTuple

HEADER_BYTES: Final = 20

BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101

_COOKIE: Final = b"\x21\x12\xa4\x42"
_HEAD: Final = struct.Struct(">HH")
_USERNAME: Final = 0x0006
_MESSAGE_INTEGRITY: Final = 0x0008
_USE_CANDIDATE: Final = 0x0025
_LONGEST_USERNAME_BYTES: Final = 513


class BindingRequest(NamedTuple):
    """A connectivity check (RFC 8445 section 7)."""

    ufrag: str
    """The receiver's half of USERNAME (RFC 8445 section 7.2.2)."""
    nominated: bool
    """It carries USE-CANDIDATE: the peer wants media to take this way."""


def message_type(data: bytes) -> int | None:
    """Type of a message whose header and length are right (sections 5 and 6.3); None for anything else."""
    if len(data) < HEADER_BYTES or data[4:8] != _COOKIE:
        return None
    kind, length = _HEAD.unpack_from(data)
    if kind & 0xC000 or length & 3 or length + HEADER_BYTES != len(data):
        return None
    return int(kind)


def transaction(data: bytes) -> bytes:
    """Transaction id of a message that `message_type` has approved."""
    return data[8:20]


def parse_request(data: bytes) -> BindingRequest | None:
    """A Binding request that names its receiver and is protected; None if it isn't one.

    data: approved by `message_type`. What stands behind MESSAGE-INTEGRITY does not count (section 14.5);
    whether the integrity is right only the receiver knows.
    """
    username, nominated = b"", False
    offset, end = HEADER_BYTES, len(data)
    while offset + _HEAD.size <= end:
        kind, length = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        if offset + length > end:
            return None
        if kind == _MESSAGE_INTEGRITY:
            ufrag, colon, _ = username.partition(b":")
            if not colon or not ufrag.isascii():
                return None
            return BindingRequest(ufrag.decode("ascii"), nominated)
        if kind == _USERNAME and length <= _LONGEST_USERNAME_BYTES:
            username = username or data[offset : offset + length]
        elif kind == _USE_CANDIDATE:
            nominated = True
        offset += (length + 3) & ~3
    return None
