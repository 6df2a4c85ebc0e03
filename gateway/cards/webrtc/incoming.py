"""From decoded audio of any length to 20 ms frames for the core, tick by tick. Pure.

What has arrived goes out at once, also several frames: holding it back to make the stream smooth would only
add delay. Through short gaps nothing is sent, since what is late comes yet; only
when nothing has come for a while, silence is, so that whoever listens hears that nobody speaks.
"""

from typing import Final

_PATIENCE_TICKS: Final = 6
_LIMIT_FRAMES: Final = 50
"""A second; a peer that sends faster than the clock loses its oldest audio."""


class Incoming:
    """Audio of one peer between two ticks."""

    def __init__(self, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self._silence = bytes(frame_bytes)
        self._pcm = bytearray()
        self._empty_ticks = 0
        self.dropped_frames = 0
        """More than the limit at once."""

    def push(self, pcm: bytes) -> None:
        """Decoded audio, s16le mono."""
        self._pcm += pcm
        excess = len(self._pcm) // self._frame_bytes - _LIMIT_FRAMES
        if excess > 0:
            self.dropped_frames += excess
            del self._pcm[: excess * self._frame_bytes]

    def take(self) -> list[bytes]:
        """Whole frames, as many as there are."""
        size = self._frame_bytes
        count = len(self._pcm) // size
        if not count:
            return []
        self._empty_ticks = 0
        frames = [bytes(self._pcm[at : at + size]) for at in range(0, count * size, size)]
        del self._pcm[: count * size]
        return frames

    def tick(self) -> tuple[list[bytes], bool]:
        """Frames for the core, and whether they are silence in place of audio that did not come."""
        frames = self.take()
        if frames:
            return frames, False
        self._empty_ticks += 1
        if self._empty_ticks <= _PATIENCE_TICKS:
            return [], False
        return [self._silence], True
