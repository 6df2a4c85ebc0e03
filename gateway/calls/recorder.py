"""A call's recording: a stereo WAV, the caller on the left, what the caller heard on the right.

While the agent alone speaks, its audio waits at the card; the recording places it where the card
says that it was played, and cuts it where it was cut. In company the caller hears a live mix, which
is written as it comes. Both tracks are spooled to disk, so that a long call needs no memory.
"""

import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from gateway.calls.bridge import Bridge
from gateway.calls.parts import InThread
from gateway.core.ids import Mark
from gateway.errors import LocalError
from gateway.observe.log import get_logger

_SPOOL_BYTES: Final = 64 << 10
_CHUNK_SAMPLES: Final = 1 << 16

log = get_logger()


class _Track:
    """One side on its way to disk; pieces may be written anywhere behind what is there already."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w+b")
        self._pending = bytearray()
        self._start = 0
        self.end = 0
        """Bytes so far."""

    def write(self, offset: int, pcm: bytes) -> None:
        """Put PCM at a place; a gap before it is silence, and it may overwrite what is there."""
        if offset != self._start + len(self._pending):
            self.flush()
            self._start = offset
        self._pending += pcm
        self.end = max(self.end, offset + len(pcm))
        if len(self._pending) >= _SPOOL_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            self._file.seek(self._start)
            self._file.write(self._pending)
            self._start += len(self._pending)
            self._pending = bytearray()

    def close(self) -> None:
        self.flush()
        self._file.close()


@dataclass(slots=True)
class _Placed:
    """A run that is being played."""

    place: int
    """Of its beginning, in bytes."""
    pcm: bytearray


class CallRecorder:
    """Begins at once; `finish` ends it."""

    def __init__(self, path: Path, bridge: Bridge, clock: Callable[[], float], in_thread: InThread) -> None:
        """Raises `LocalError` when the file cannot be made."""
        self._path = path
        self._bridge = bridge
        self._clock = clock
        self._in_thread = in_thread
        self._began = clock()
        self._rate_hz = bridge.caller.pcm_format.sample_rate_hz
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._caller = _Track(path.with_suffix(".caller"))
            self._heard = _Track(path.with_suffix(".heard"))
        except OSError as exc:
            raise LocalError(f"the recording cannot be written: {exc.strerror}") from exc
        self._queued: dict[Mark, bytearray] = {}
        self._playing: dict[Mark, _Placed] = {}
        self._paused_at: int | None = None
        bridge.caller.tap = self._on_caller
        bridge.caller.tap_heard = self._on_heard
        bridge.agent.spoken.tap = self

    def _now(self, at_s: float) -> int:
        """Place of a moment, in bytes."""
        return max(0, int((at_s - self._began) * self._rate_hz)) * 2

    def _on_caller(self, pcm: bytes) -> None:
        self._caller.write(self._place(self._caller, len(pcm)), pcm)

    def _on_heard(self, pcm: bytes) -> None:
        self._heard.write(self._place(self._heard, len(pcm)), pcm)

    def _place(self, track: _Track, size: int) -> int:
        """Behind the last frame, or at the present moment if that is further off than jitter explains."""
        now = self._now(self._clock()) - size
        slack = self._rate_hz // 5 * 2
        return track.end if abs(now - track.end) <= slack else max(0, now)

    # ---- the agent's voice ----------------------------------------------------------------------

    def queued(self, mark: Mark, pcm: bytes) -> None:
        """Audio that will be played under a mark."""
        run = self._playing.get(mark)
        if run is None:
            self._queued.setdefault(mark, bytearray()).extend(pcm)
        else:
            self._heard.write(run.place + len(run.pcm), pcm)
            run.pcm += pcm

    def started(self, mark: Mark, at_s: float) -> None:
        """It is being played from now on."""
        run = _Placed(self._now(at_s), self._queued.pop(mark, bytearray()))
        self._heard.write(run.place, bytes(run.pcm))
        self._playing = {mark: run}

    def paused(self, at_s: float) -> None:
        """It has stopped, and may go on."""
        self._paused_at = self._now(at_s)

    def resumed(self, at_s: float) -> None:
        """It goes on: what comes after the pause is that much later."""
        begin, self._paused_at = self._paused_at, None
        if begin is None:
            return
        gap = self._now(at_s) - begin
        for run in self._playing.values():
            heard = max(0, begin - run.place)
            if heard < len(run.pcm):
                run.pcm[heard:heard] = bytes(gap)
                self._heard.write(run.place + heard, bytes(run.pcm[heard:]))

    def cut(self, at_s: float) -> None:
        """What has not been played by then never will be."""
        place = self._now(at_s) if self._paused_at is None else self._paused_at
        self._paused_at = None
        if self._heard.end > place:
            self._heard.write(place, bytes(self._heard.end - place))
        self._queued.clear()
        self._playing.clear()

    # ---- the end --------------------------------------------------------------------------------

    async def finish(self) -> float:
        """Write the file; its length in seconds."""
        caller = self._bridge.caller
        caller.tap = caller.tap_heard = self._bridge.agent.spoken.tap = None
        length = self._now(self._clock()) // 2
        self._caller.close()
        self._heard.close()
        try:
            await self._in_thread(partial(self._interleave, length))
        except OSError as exc:
            log.error("a recording could not be written", error=exc.strerror)
        return round(length / self._rate_hz, 2)

    def _interleave(self, samples: int) -> None:
        with (
            wave.open(str(self._path), "wb") as writer,
            self._caller.path.open("rb") as left,
            self._heard.path.open("rb") as right,
        ):
            writer.setnchannels(2)
            writer.setsampwidth(2)
            writer.setframerate(self._rate_hz)
            for start in range(0, samples, _CHUNK_SAMPLES):
                size = min(_CHUNK_SAMPLES, samples - start) * 2
                both = np.empty((size // 2, 2), np.int16)
                for column, track in enumerate((left, right)):
                    both[:, column] = np.frombuffer(track.read(size).ljust(size, b"\0"), np.int16)
                writer.writeframes(both.tobytes())
        self._caller.path.unlink()
        self._heard.path.unlink()
