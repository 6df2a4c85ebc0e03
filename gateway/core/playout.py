"""Playout buffer: where a backend's burst of audio waits for the media clock.

Audio comes in runs, each labelled with a mark. A run is open until it is closed with `last`. A frame
may hold the end of one run and the start of the next, so that runs play without a gap:

    play(mark 1) play(mark 1, last) play(mark 2) ...        next_frame() every 20 ms
    |--- run 1 ------------------||--- run 2 (open) ---     -> bytes, or None for silence

When only a part of a frame is left, a closed run is padded with silence, an open one waits for more
(and that is an underrun). A run is superseded, without `MarkFinished`, when another mark follows it
before it was closed; interleaved marks count as new runs.

A source that delivers in real time and hiccups once would stay late for the rest of the run: what
it missed is played after a gap, and everything behind it later. So the gap is made good: while
playout is behind, every second quiet frame is skipped, for as long as more audio waits behind it.
Pauses become shorter, no word is lost, and a source ahead of real time never gets there.

A live run is somebody's speech, passed on frame by frame from another clock; see `playout_runs`. Once
it is closed, or another run waits behind it, what is left of it plays like any other.
"""

from array import array
from collections import deque
from dataclasses import dataclass

from gateway.core.audio import PTIME_MS, SAMPLE_BYTES, PcmFormat
from gateway.core.ids import Mark
from gateway.core.playout_runs import FADE_MS, LiveCounters, LiveRun, Run

NO_MARK = Mark(0)
PLAYOUT_LIMIT_MS = 120_000
"""Longest backlog held."""
_QUIET_PEAK = 256
"""A frame whose samples all stay below this (−42 dBFS) may be skipped unheard."""
_MAX_BEHIND_MS = 400
_MOST_STARVED_MS = 1000
"""No more than this is made good of one gap, or of several before it could be."""


@dataclass(frozen=True, slots=True)
class MarkStarted:
    """The first audio of a mark was handed out."""

    mark: Mark


@dataclass(frozen=True, slots=True)
class MarkFinished:
    """All audio of a closed mark was handed out."""

    mark: Mark
    played_ms: int


@dataclass(frozen=True, slots=True)
class FlushResult:
    """What a flush found."""

    mark: Mark
    """The mark being played, or next to be played; `NO_MARK` if there was none."""
    played_ms: int
    """How much of that mark has been heard."""
    dropped_ms: int
    """Audio thrown away, all marks."""


class Playout:
    """Bounded buffer of one leg; all sizes in bytes of PCM inside, in milliseconds outside."""

    def __init__(self, pcm_format: PcmFormat, *, limit_ms: int = PLAYOUT_LIMIT_MS) -> None:
        self._format = pcm_format
        self._frame_bytes = pcm_format.frame_bytes
        self._limit_bytes = limit_ms // PTIME_MS * self._frame_bytes
        self._fade_bytes = pcm_format.sample_rate_hz * FADE_MS // 1000 * SAMPLE_BYTES
        self._runs: deque[Run] = deque()
        self._fade = b""
        self._paused = False
        self._dry_ms = 0
        self._behind_frames = 0
        self._skipped_last = False
        self._events: list[MarkStarted | MarkFinished] = []
        self._overflow_bytes = 0
        self._live = LiveCounters()
        self.queued_bytes = 0
        """PCM that waits."""
        self.played_bytes = 0
        """PCM handed out, padding not counted."""
        self.underruns = 0
        """Times an open run had less than a frame left, once per gap."""
        self.starved_ms = 0
        """How long that lasted, of each gap `_MOST_STARVED_MS` at most: then the far end is merely silent."""
        self.skipped_bytes = 0
        """Quiet PCM left out to make good for underruns."""

    @property
    def overflow_ms(self) -> int:
        """Audio refused because the buffer was full."""
        return self._ms(self._overflow_bytes)

    @property
    def queued_ms(self) -> int:
        """Audio that waits, rounded up."""
        return -(-self.queued_bytes * 1000 // (self._format.sample_rate_hz * SAMPLE_BYTES))

    @property
    def live_spliced(self) -> int:
        """Frames of live runs left out since they had grown too deep."""
        return self._live.spliced

    @property
    def live_stretched(self) -> int:
        """Frames of live runs played twice since nothing was left in reserve."""
        return self._live.stretched

    @property
    def live_repeated(self) -> int:
        """Gaps of live runs, each filled with an echo of one frame."""
        return self._live.repeated

    @property
    def live_dropped(self) -> int:
        """Frames of live runs beyond the most that is held."""
        return self._live.dropped

    @property
    def paused(self) -> bool:
        """Whether `pause` holds it."""
        return self._paused

    @property
    def drained(self) -> bool:
        """Nothing is left that could be heard without further `play`."""
        return not self.queued_bytes and not self._fade

    def play(self, pcm: bytes, mark: Mark, *, last: bool = False, live: bool = False) -> None:
        """Queue audio of any length; `last` closes the mark. What does not fit is dropped, newest first.

        live: the audio is being said this moment; of such a run the oldest audio is dropped instead.
        Raises `ValueError` for half a sample.
        """
        if len(pcm) % SAMPLE_BYTES:
            raise ValueError(f"{len(pcm)} bytes are not whole samples")
        room = self._limit_bytes - self.queued_bytes
        if len(pcm) > room:
            self._overflow_bytes += len(pcm) - room
            pcm = pcm[:room]
        run = self._runs[-1] if self._runs else None
        if run is None or run.mark != mark or run.closed or isinstance(run, LiveRun) is not live:
            run = LiveRun(mark, self._format, self._live) if live else Run(mark)
            self._runs.append(run)
        held_bytes = run.queued_bytes
        run.push(pcm)
        self.queued_bytes += run.queued_bytes - held_bytes
        run.closed = last
        self._settle()

    def next_frame(self) -> bytes | None:
        """The next 20 ms, exactly one frame, or None for silence."""
        frame, self._fade = self._fade, b""
        if not self._paused and self._runs:
            if self._behind_frames and not isinstance(self._runs[0], LiveRun):
                self._catch_up(self._runs[0])
            frame = self._fill(frame)
        if not frame:
            return None
        return frame if len(frame) == self._frame_bytes else frame.ljust(self._frame_bytes, b"\0")

    def flush(self) -> FlushResult:
        """Drop everything, ending with a short ramp to silence if audio was being played; ends a pause."""
        run = self._runs[0] if self._runs else None
        if run is not None and run.started and not self._paused and not self._fade:
            self._fade = self._ramp(run)
        result = FlushResult(
            run.mark if run else NO_MARK,
            self._ms(run.played_bytes) if run else 0,
            self._ms(self.queued_bytes),
        )
        self._runs.clear()
        self.queued_bytes = self._behind_frames = 0
        self._paused = False
        self._dry_ms = 0
        return result

    def pause(self) -> None:
        """Hand out silence until `resume`; the queue stays."""
        self._paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False

    def take_events(self) -> list[MarkStarted | MarkFinished]:
        """Events since the last call, in order."""
        events, self._events = self._events, []
        return events

    def _fill(self, frame: bytes) -> bytes:
        while (need := self._frame_bytes - len(frame)) and self._runs:
            run = self._runs[0]
            alone = len(self._runs) == 1
            if alone and isinstance(run, LiveRun) and not run.closed:
                return frame or self._take_live(run)
            if run.queued_bytes < need and not run.closed and alone:
                if run.started:
                    self._behind_frames = min(self._behind_frames + 1, _MAX_BEHIND_MS // PTIME_MS)
                    self._starve()
                break
            if run.queued_bytes:
                frame += self._take(run, need)
            else:
                self._runs.popleft()  # superseded while open
            self._settle()
        return frame

    def _catch_up(self, run: Run) -> None:
        """Skip one quiet frame, if there is one to skip and audio behind it."""
        size = self._frame_bytes
        self._skipped_last = not self._skipped_last
        if not self._skipped_last or not run.started or run.queued_bytes < 2 * size:
            return
        head = run.chunks[0][run.offset_bytes : run.offset_bytes + size]
        if len(head) == size and max(map(abs, memoryview(head).cast("h"))) < _QUIET_PEAK:
            run.pull(size)
            self.queued_bytes -= size
            self.skipped_bytes += size
            self._behind_frames -= 1

    def _take_live(self, run: LiveRun) -> bytes:
        held_bytes = run.queued_bytes
        frame, size = run.next_frame()
        self.queued_bytes += run.queued_bytes - held_bytes
        self.played_bytes += size
        if frame is None:
            return b""
        self._start(run)
        return frame

    def _start(self, run: Run) -> None:
        if not run.started:
            run.started = True
            self._events.append(MarkStarted(run.mark))

    def _take(self, run: Run, need: int) -> bytes:
        self._start(run)
        self._dry_ms = 0
        part = run.pull(need)
        self.queued_bytes -= len(part)
        self.played_bytes += len(part)
        return part

    def _starve(self) -> None:
        self.underruns += not self._dry_ms
        if self._dry_ms < _MOST_STARVED_MS:
            self._dry_ms += PTIME_MS
            self.starved_ms += PTIME_MS

    def _settle(self) -> None:
        while self._runs and self._runs[0].closed and not self._runs[0].queued_bytes:
            run = self._runs.popleft()
            self._events.append(MarkFinished(run.mark, self._ms(run.played_bytes)))
            self._dry_ms = 0
            self._behind_frames = 0

    def _ramp(self, run: Run) -> bytes:
        if isinstance(run, LiveRun) and not run.primed:
            return b""  # nothing is being heard
        samples: array[int] = array("h")
        wanted = min(self._fade_bytes, run.queued_bytes)
        while wanted > 0:
            part = run.pull(wanted)
            wanted -= len(part)
            samples.frombytes(part)
        length = len(samples)
        self.queued_bytes -= length * SAMPLE_BYTES
        self.played_bytes += length * SAMPLE_BYTES
        return array("h", [s * (length - i) // (length + 1) for i, s in enumerate(samples)]).tobytes()

    def _ms(self, n_bytes: int) -> int:
        return round(self._format.duration_ms(n_bytes))
