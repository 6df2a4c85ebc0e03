"""Framing on the unix stream sockets between processes.

A frame is a 5-byte header (payload length u32, kind u8, little-endian) and the payload:

    CONTROL  one msgpack-encoded control struct (`gateway.wire.card`, `gateway.wire.edge`)
    HEARD    what a card's legs heard in one 20 ms tick: records of <leg u32, flags u16, bytes u16> + PCM
    PLAY     audio for one leg's playout: <leg u32, mark u32, flags u32> + PCM

PCM is signed 16-bit little-endian mono at the sample rate that the card's `Hello` names.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from typing import Final

from gateway.core.ids import LegId, Mark
from gateway.errors import RemoteError

WIRE_VERSION: Final = 1
"""Raised whenever a frame or struct changes its meaning; both ends must agree."""

MAX_PAYLOAD_BYTES: Final = 4 << 20
"""Anything longer is a broken peer."""

_HEADER: Final = struct.Struct("<IB")
_RECORD: Final = struct.Struct("<IHH")
_PLAY: Final = struct.Struct("<III")


class FrameKind(IntEnum):
    """What a frame's payload is."""

    CONTROL = 0
    HEARD = 1
    PLAY = 2


class HeardFlag(IntFlag):
    """Per-leg flags of a HEARD record."""

    NONE = 0
    CONCEALED = 1
    """The decoder had no packet for this frame."""


class PlayFlag(IntFlag):
    """Flags of a PLAY frame."""

    NONE = 0
    LAST = 1
    """Nothing more follows for this mark; running dry after it is not an underrun."""
    LIVE = 2
    """Speech of this moment from another clock; the playout keeps it short."""


class WireError(RemoteError):
    """The peer process sent something that is not this protocol."""


def pack_frame(kind: FrameKind, payload: bytes) -> bytes:
    """One frame, ready to write."""
    return _HEADER.pack(len(payload), kind) + payload


def pack_heard_record(leg: LegId, flags: HeardFlag | int, pcm: bytes) -> bytes:
    """One leg's record of a HEARD payload; concatenate the records of a tick."""
    return _RECORD.pack(leg, flags, len(pcm)) + pcm


def unpack_heard(payload: bytes) -> Iterator[tuple[LegId, int, bytes]]:
    """(leg, `HeardFlag` bits, PCM) of each record of a HEARD payload. Raises `WireError`."""
    offset, end = 0, len(payload)
    while offset < end:
        try:
            leg, flags, size = _RECORD.unpack_from(payload, offset)
        except struct.error as exc:
            raise WireError("truncated HEARD record") from exc
        offset += _RECORD.size
        if offset + size > end:
            raise WireError("HEARD record longer than its frame")
        yield leg, flags, payload[offset : offset + size]
        offset += size


def pack_play(leg: LegId, mark: Mark, flags: PlayFlag | int, pcm: bytes) -> bytes:
    """A whole PLAY frame, header included."""
    return _HEADER.pack(_PLAY.size + len(pcm), FrameKind.PLAY) + _PLAY.pack(leg, mark, flags) + pcm


def unpack_play(payload: bytes) -> tuple[LegId, Mark, int, bytes]:
    """(leg, mark, `PlayFlag` bits, PCM) of a PLAY payload. Raises `WireError`."""
    try:
        leg, mark, flags = _PLAY.unpack_from(payload)
    except struct.error as exc:
        raise WireError("truncated PLAY frame") from exc
    return leg, mark, flags, payload[_PLAY.size :]


class FrameDecoder:
    """Cuts a byte stream into frames; holds at most one incomplete frame."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """(kind, payload) of every frame completed by `data`. Raises `WireError` on an oversized frame."""
        buffer = self._rest + data if self._rest else data
        frames: list[tuple[int, bytes]] = []
        offset, end = 0, len(buffer)
        while end - offset >= _HEADER.size:
            size, kind = _HEADER.unpack_from(buffer, offset)
            if size > MAX_PAYLOAD_BYTES:
                raise WireError(f"frame of {size} bytes exceeds the limit of {MAX_PAYLOAD_BYTES}")
            start = offset + _HEADER.size
            if end - start < size:
                break
            frames.append((kind, buffer[start : start + size]))
            offset = start + size
        self._rest = buffer[offset:] if offset else buffer
        return frames
