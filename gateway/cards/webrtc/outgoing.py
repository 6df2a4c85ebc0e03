"""From playout frames to what is encoded and sent: packet time, the silence behind speech. Pure.

A receiver takes a stream that just stops for packets that are late, and stretches the last sound: 359 ms
until silence were measured. A few packets of encoded silence end it within 106 ms. After them nothing is
sent until there is something to say; the timestamp runs on with the clock (RFC 3550 section 5.1).
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.audio import PTIME_MS

SILENCE_FRAMES: Final = 5
"""Frames of silence behind the last audio."""


@dataclass(frozen=True, slots=True)
class Block:
    """Audio of one packet."""

    pcm: bytes
    timestamp: int
    """RTP timestamp from the beginning of the stream; the sender adds its random offset."""


class Outgoing:
    """Collects 20 ms frames into packets of `ptime_ms`."""

    def __init__(self, frame_bytes: int, clock_rate_hz: int) -> None:
        self._silence = bytes(frame_bytes)
        self._step = clock_rate_hz * PTIME_MS // 1000
        self._frames_per_packet = 1
        self._frames: list[bytes] = []
        self._timestamp = 0
        self._silence_due = SILENCE_FRAMES
        """Silence also comes first: it settles the receiver's jitter buffer before the first word."""

    @property
    def ptime_ms(self) -> int:
        """Audio per packet."""
        return self._frames_per_packet * PTIME_MS

    def set_ptime(self, ptime_ms: int) -> None:
        """Change it from the next packet on; whole frames only. Raises `ValueError`."""
        if ptime_ms % PTIME_MS or not PTIME_MS <= ptime_ms <= 3 * PTIME_MS:
            raise ValueError(f"{ptime_ms} ms is no packet time")
        self._frames_per_packet = ptime_ms // PTIME_MS

    def tick(self, frame: bytes | None) -> Block | None:
        """20 ms passed; `frame` is what is to be heard next, None for silence."""
        at, self._timestamp = self._timestamp, self._timestamp + self._step
        if frame is not None:
            self._silence_due = SILENCE_FRAMES
        elif self._silence_due > 0:
            self._silence_due -= 1
            frame = self._silence
        elif self._frames:
            frame = self._silence
        else:
            return None
        self._frames.append(frame)
        if len(self._frames) < self._frames_per_packet:
            return None
        frames, self._frames = self._frames, []
        return Block(b"".join(frames), at - (len(frames) - 1) * self._step)
