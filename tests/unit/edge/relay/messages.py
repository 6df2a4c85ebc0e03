"""STUN messages for the tests, built by the layout of RFC 8489; integrity is only filled in, not computed."""

import struct
from dataclasses import dataclass, field

USERNAME, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE, FINGERPRINT = 0x0006, 0x0008, 0x0024, 0x0025, 0x8028
REQUEST, INDICATION, SUCCESS, ERROR = 0x0001, 0x0011, 0x0101, 0x0111


def attribute(kind: int, value: bytes) -> bytes:
    """Type, length, value, padding."""
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind: int, transaction: bytes, *attributes: bytes) -> bytes:
    """A whole message."""
    body = b"".join(attributes)
    return struct.pack(">HH", kind, len(body)) + b"\x21\x12\xa4\x42" + transaction + body


def request(ufrag: str, transaction: bytes, *, nominated: bool = False) -> bytes:
    """A client's connectivity check."""
    nomination = (attribute(USE_CANDIDATE, b""),) if nominated else ()
    return message(
        REQUEST,
        transaction,
        attribute(USERNAME, f"{ufrag}:peer".encode()),
        attribute(PRIORITY, bytes(4)),
        *nomination,
        attribute(MESSAGE_INTEGRITY, bytes(20)),
        attribute(FINGERPRINT, bytes(4)),
    )


def answer(kind: int, transaction: bytes, size_bytes: int = 64) -> bytes:
    """A response of the given size."""
    fill = size_bytes - 20 - 4
    return message(kind, transaction, attribute(0x8022, bytes(fill)))


@dataclass
class Transactions:
    """Transaction ids, none of them twice."""

    count: int = field(default=0)

    def next(self) -> bytes:
        """Twelve bytes."""
        self.count += 1
        return self.count.to_bytes(12, "big")
