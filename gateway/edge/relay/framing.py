"""Datagrams on a TCP stream: a length of two bytes before each (RFC 4571 section 2, RFC 6544). Pure."""

import struct
from typing import Final

from gateway.errors import RemoteError

MAX_DATAGRAM_BYTES: Final = 2048
"""Far more than a WebRTC peer puts into one; media stays below a path MTU of 1500."""

_LENGTH: Final = struct.Struct(">H")


class FramingError(RemoteError):
    """The stream is not what it should be; it can't be followed any further."""


def frame(data: bytes) -> bytes:
    """`data`, ready for the stream. Raises `FramingError` if it is too long."""
    if len(data) > MAX_DATAGRAM_BYTES:
        raise FramingError(f"{len(data)} bytes in one datagram")
    return _LENGTH.pack(len(data)) + data


class Deframer:
    """Holds at most one incomplete datagram."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Every datagram completed by `data`, without empty ones. Raises `FramingError`."""
        buffer = self._rest + data
        datagrams: list[bytes] = []
        offset = 0
        while len(buffer) - offset >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, offset)
            if length > MAX_DATAGRAM_BYTES:
                raise FramingError(f"{length} bytes announced for one datagram")
            end = offset + _LENGTH.size + length
            if end > len(buffer):
                break
            if length:
                datagrams.append(buffer[offset + _LENGTH.size : end])
            offset = end
        self._rest = buffer[offset:]
        return datagrams
