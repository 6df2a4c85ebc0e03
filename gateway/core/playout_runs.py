"""Runs of audio in a playout buffer: bursts, and live speech that comes frame by frame. Pure.

A live run carries what somebody says right now, on a clock that is not the one it is played by. It is kept
short, and every correction is a cross-fade between audio that was to come next and audio further on:

    depth after a frame was taken     what is done
    0 for a second                    one frame is played twice: the source is slower than we are
    20 ms (cushion)                   nothing
    more for a second                 one frame is left out: the source is faster, or a jam has passed
    80 ms before a frame is taken     the oldest frames are left out at once

A gap is filled with the last frame, backwards (so that it begins where that ended) and fading; then comes
silence until the cushion has gathered again.
"""

from array import array
from collections import deque
from dataclasses import dataclass
from typing import Final

from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.ids import Mark

FADE_MS: Final = 4
"""Ramp between silence and sound, against a click."""
LIVE_CUSHION_FRAMES: Final = 1
"""What waits behind the frame being played when a live run starts."""
LIVE_LIMIT_FRAMES: Final = 4
"""The most that waits in a live run."""
_STEADY_TICKS: Final = 1000 // PTIME_MS
"""A depth that has lasted so long is no passing jitter."""
_PRIMING_TICKS: Final = 5
"""A frame that nothing follows is played all the same after so long."""


def cross_fade(before: bytes, after: bytes, samples: int) -> bytes:
    """`after`, whose first `samples` samples come out of `before` little by little; s16le."""
    old, new = array("h", before[: samples * 2]), array("h", after)
    for i in range(min(samples, len(old), len(new))):
        new[i] = (old[i] * (samples - i) + new[i] * i) // samples
    return new.tobytes()


def _dying_echo(frame: bytes) -> bytes:
    """A frame backwards, fading to silence."""
    samples = array("h", frame)[::-1]
    return cross_fade(samples.tobytes(), bytes(len(frame)), len(samples))


class Run:
    """Audio of one mark, in the chunks in which it came."""

    __slots__ = ("chunks", "closed", "mark", "offset_bytes", "played_bytes", "queued_bytes", "started")

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.chunks: deque[bytes] = deque()
        self.offset_bytes = 0  # consumed of chunks[0]
        self.queued_bytes = self.played_bytes = 0
        self.started = self.closed = False

    def push(self, pcm: bytes) -> None:
        """Take audio of any length."""
        if pcm:
            self.chunks.append(pcm)
            self.queued_bytes += len(pcm)

    def pull(self, limit_bytes: int) -> bytes:
        """Up to `limit_bytes` of the first chunk."""
        chunk, start = self.chunks[0], self.offset_bytes
        part = chunk[start : start + limit_bytes]
        self.offset_bytes = start + len(part)
        if self.offset_bytes >= len(chunk):
            self.chunks.popleft()
            self.offset_bytes = 0
        self.queued_bytes -= len(part)
        self.played_bytes += len(part)
        return part


@dataclass(slots=True)
class LiveCounters:
    """Corrections of all live runs of a playout buffer, in frames."""

    spliced: int = 0
    """Left out because the depth had stayed above the cushion."""
    stretched: int = 0
    """Played twice because nothing was left in reserve."""
    repeated: int = 0
    """Echoes of the last frame, one for each gap."""
    dropped: int = 0
    """Left out because more had gathered than is ever held."""


class LiveRun(Run):
    """A run that comes in real time, and the corrections that keep it short."""

    __slots__ = (
        "_above",
        "_bare",
        "_before",
        "_counters",
        "_fade_samples",
        "_last",
        "_size",
        "_waited",
        "primed",
    )

    def __init__(self, mark: Mark, pcm_format: PcmFormat, counters: LiveCounters) -> None:
        super().__init__(mark)
        self._counters = counters
        self._size = pcm_format.frame_bytes
        self._fade_samples = pcm_format.sample_rate_hz * FADE_MS // 1000
        self._last = b""
        self._before = b""
        """What would have come next but for frames that were left out."""
        self._above = self._bare = self._waited = 0
        self.primed = False
        """Whether the cushion has gathered since the last gap."""

    def push(self, pcm: bytes) -> None:
        """Take audio; the oldest goes when there is too much."""
        super().push(pcm)
        while self.queued_bytes > LIVE_LIMIT_FRAMES * self._size:
            self._leave_out()
            self._counters.dropped += 1

    def next_frame(self) -> tuple[bytes | None, int]:
        """A frame or None for silence, and how many bytes of the source it stands for."""
        if not self.primed and not self._gathered():
            return None, 0
        size, counters = self._size, self._counters
        if self.queued_bytes < size:
            self.primed = False
            counters.repeated += 1
            return _dying_echo(self._last), 0
        if self._bare >= _STEADY_TICKS:
            self._bare = 0
            counters.stretched += 1
            self._last = cross_fade(self._head(), self._last, size // 2)
            return self._last, 0
        if self._above >= _STEADY_TICKS and self.queued_bytes >= 2 * size:
            self._above = 0
            self._leave_out()
            counters.spliced += 1
        frame = self._cut()
        if self._before:
            frame, self._before = cross_fade(self._before, frame, size // 2), b""
        elif not self._last:
            frame = cross_fade(bytes(size), frame, self._fade_samples)
        self._last = frame
        depth = self.queued_bytes
        self._above = self._above + 1 if depth > LIVE_CUSHION_FRAMES * size else 0
        self._bare = self._bare + 1 if depth < size // 2 else 0
        return frame, size

    def _gathered(self) -> bool:
        """Whether playing may start (again)."""
        size = self._size
        self._waited = self._waited + 1 if self.queued_bytes >= size else 0
        if self.queued_bytes < (1 + LIVE_CUSHION_FRAMES) * size and self._waited <= _PRIMING_TICKS:
            return False
        self.primed = True
        self._last = self._before = b""
        self._above = self._bare = self._waited = 0
        return True

    def _leave_out(self) -> None:
        frame = self._cut()
        if not self._before:
            self._before = frame

    def _cut(self) -> bytes:
        frame = self.pull(self._size)
        while len(frame) < self._size:
            frame += self.pull(self._size - len(frame))
        return frame

    def _head(self) -> bytes:
        """The next frame, left where it is."""
        rest = b"".join(self.chunks)[self.offset_bytes :]
        self.chunks, self.offset_bytes = deque((rest,)), 0
        return rest[: self._size]
