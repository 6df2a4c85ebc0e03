"""From playout frames to what is encoded and sent: packet time, and silence where nothing is said. Pure.

The stream never pauses. A receiver takes one that just stops for packets that are late: it stretches the
last sound (359 ms until silence were measured; with packets of silence 106 ms) and goes on to count all
that it makes up as concealed.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.audio import PTIME_MS

SETTLING_FRAMES: Final = 25
"""After so much silence an encoder has forgotten what was said before."""


@dataclass(frozen=True, slots=True)
class Block:
    """Audio of one packet."""

    pcm: bytes
    timestamp: int
    """RTP timestamp from the beginning of the stream; the sender adds its random offset."""
    settled: bool
    """All silence, and so long that an encoder would go on to say the same."""


class Outgoing:
    """Collects 20 ms frames into packets of `ptime_ms`."""

    def __init__(self, frame_bytes: int, clock_rate_hz: int) -> None:
        self._silence = bytes(frame_bytes)
        self._step = clock_rate_hz * PTIME_MS // 1000
        self._frames_per_packet = 1
        self._frames: list[bytes] = []
        self._timestamp = 0
        self._silent_frames = 0

    @property
    def timestamp(self) -> int:
        """RTP timestamp of the frame that comes next, from the beginning of the stream."""
        return self._timestamp

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
        self._silent_frames = 0 if frame is not None else self._silent_frames + 1
        self._frames.append(self._silence if frame is None else frame)
        if len(self._frames) < self._frames_per_packet:
            return None
        frames, self._frames = self._frames, []
        settled = self._silent_frames >= SETTLING_FRAMES + len(frames)
        return Block(b"".join(frames), at - (len(frames) - 1) * self._step, settled)
