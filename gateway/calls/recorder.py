"""A call's recording: a stereo WAV, the caller on the left, what the caller heard on the right.

While the agent alone speaks, its audio waits at the card; the recording places it where the card
says that it was played, and cuts it where it was cut. In company the caller hears a live mix, which
is written as it comes. Both tracks are spooled to disk, so that a long call needs no memory, and a
core that takes a call over goes on with its recording: only what was said meanwhile is silence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.calls.bridge import Bridge
from gateway.calls.checkpoint import KeptRecording
from gateway.calls.parts import InThread
from gateway.calls.spool import CALL_SIDES, Track, complete, track_path
from gateway.core.ids import Mark
from gateway.observe.log import get_logger

log = get_logger()


@dataclass(slots=True)
class _Placed:
    """A run that is being played."""

    place: int
    """Of its beginning, in bytes."""
    pcm: bytearray


class CallRecorder:
    """Begins at once; `finish` ends it."""

    def __init__(
        self,
        path: Path,
        bridge: Bridge,
        clock: Callable[[], float],
        in_thread: InThread,
        *,
        began_s: float | None = None,
    ) -> None:
        """`began_s`: when an earlier core began this recording, which is gone on with.

        Raises `LocalError` when the file cannot be made.
        """
        self._path = path
        self._bridge = bridge
        self._clock = clock
        self._in_thread = in_thread
        resume = began_s is not None
        self._began = clock() if began_s is None else began_s
        self._rate_hz = bridge.caller.pcm_format.sample_rate_hz
        self._slack = self._rate_hz // 5 * 2
        """Bytes of 200 ms: more than jitter explains."""
        caller, heard = (track_path(path, self._rate_hz, side) for side in CALL_SIDES)
        self._caller = Track(caller, resume=resume)
        try:
            self._heard = Track(heard, resume=resume)
        except BaseException:
            self._caller.close()
            raise
        self._queued: dict[Mark, bytearray] = {}
        self._playing: dict[Mark, _Placed] = {}
        self._paused_at: int | None = None
        bridge.caller.taps.append(self._on_caller)
        bridge.caller.tap_heard = self._on_heard
        bridge.agent.spoken.follow(self, clock())

    @property
    def kept(self) -> KeptRecording:
        """What a core that comes after this one has to know to go on with it."""
        return KeptRecording(self._path.name, self._began)

    def _now(self, at_s: float) -> int:
        """Place of a moment, in bytes."""
        return max(0, int((at_s - self._began) * self._rate_hz)) * 2

    def _on_caller(self, pcm: bytes) -> None:
        self._caller.write(self._place(self._caller, len(pcm)), pcm)

    def _on_heard(self, pcm: bytes) -> None:
        self._heard.write(self._place(self._heard, len(pcm)), pcm)

    def _place(self, track: Track, size: int) -> int:
        """Behind the last frame, or at the present moment if that is further off than jitter explains."""
        now = self._now(self._clock()) - size
        return track.end if abs(now - track.end) <= self._slack else max(0, now)

    # ---- the agent's voice ----------------------------------------------------------------------

    def queued(self, mark: Mark, pcm: bytes) -> None:
        """Audio that will be played under a mark; in company it comes with what is heard live."""
        if self._bridge.joined != "alone":
            return
        run = self._playing.get(mark)
        if run is None:
            self._queued.setdefault(mark, bytearray()).extend(pcm)
        else:
            self._catch_up(run)
            self._heard.write(run.place + len(run.pcm), pcm)
            run.pcm += pcm

    def _catch_up(self, run: _Placed) -> None:
        """Audio that comes long after all before it was heard is heard now."""
        late = self._now(self._clock()) - run.place - len(run.pcm)
        if self._paused_at is None and late > self._slack:
            run.pcm += bytes(late)

    def joined(self, mark: Mark, pcm: bytes, heard_s: float, now: float) -> None:
        """It was being played before: what is left of it is heard from now on."""
        rest = pcm[int(heard_s * self._rate_hz) * 2 :]
        run = _Placed(self._now(now), bytearray(rest))
        self._heard.write(run.place, rest)
        self._playing = {mark: run}

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

    def suspend(self) -> None:
        """Leave it as it is, for the core that goes on with the call."""
        self._let_go()
        for track in (self._caller, self._heard):
            track.flush()
            track.close()

    def _let_go(self) -> None:
        caller = self._bridge.caller
        caller.taps.remove(self._on_caller)
        caller.tap_heard = self._bridge.agent.spoken.tap = None

    async def finish(self) -> float:
        """Write the file; its length in seconds."""
        self._let_go()
        length = self._now(self._clock()) // 2
        tracks = (self._caller, self._heard)
        try:
            for track in tracks:
                track.flush()
            await self._in_thread(partial(complete, self._path, self._rate_hz, CALL_SIDES, length))
        except OSError as exc:
            log.error("a recording could not be written", error=exc.strerror)
        finally:
            for track in tracks:
                track.close()
        return round(length / self._rate_hz, 2)
