"""Recording what the caller says into a WAV file, until silence, a key or the limit.

It is spooled to disk, so that a core that dies in the middle leaves the words until then.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Literal

from gateway.calls.bridge import Bridge
from gateway.calls.events import CallEvents
from gateway.calls.journal import Journal
from gateway.calls.parts import InThread
from gateway.calls.spool import MESSAGE_SIDES, Track, complete, free_path, track_path
from gateway.core.audio import PTIME_MS, SAMPLE_BYTES, PcmFormat
from gateway.core.record import TimelineKind
from gateway.dialplan.runtime import Recorded, RecordRequest, StepFailedError
from gateway.errors import LocalError
from gateway.media.resampler import Resampler
from gateway.media.tones import beep
from gateway.media.vad import VoiceActivity
from gateway.observe.log import get_logger
from gateway.wire import card as wire

EndedBy = Literal["silence", "key", "limit"]

log = get_logger()

_LOOK_S: Final = 0.1
_MAX_S: Final = 3600.0


class _Take:
    """What has been heard so far, and for how long nothing."""

    def __init__(self, pcm_format: PcmFormat, track: Track) -> None:
        self._to_8k = Resampler(pcm_format.sample_rate_hz, 8000)
        self._vad = VoiceActivity(8000)
        self.track = track
        self.quiet_ms = 0

    def on_audio(self, pcm: bytes) -> None:
        self.track.append(pcm)
        self.quiet_ms = 0 if self._vad.is_speech(self._to_8k.process(pcm)) else self.quiet_ms + PTIME_MS


async def record_caller(
    request: RecordRequest,
    bridge: Bridge,
    events: CallEvents,
    journal: Journal,
    directory: Path,
    clock: Callable[[], float],
    in_thread: InThread,
) -> Recorded:
    """Record; what was recorded is kept also when the caller hangs up. Raises `StepFailedError`."""
    pcm_format = bridge.caller.pcm_format
    if request.beep:
        mark = bridge.play_prompt(beep(pcm_format.sample_rate_hz))
        while not (isinstance(event := await events.next(None), wire.PlayFinished) and event.mark == mark):
            pass
    rate_hz = pcm_format.sample_rate_hz
    path = free_path(directory / request.mailbox, journal.facts.id, rate_hz)
    try:
        track = Track(track_path(path, rate_hz, *MESSAGE_SIDES))
    except LocalError as exc:
        raise StepFailedError("error", str(exc)) from exc
    take = _Take(pcm_format, track)
    bridge.caller.taps.append(take.on_audio)
    journal.note(TimelineKind.RECORDING, state="started", mailbox=request.mailbox)
    try:
        ended_by = await _until_its_end(request, take, events, clock)
    finally:
        bridge.caller.taps.remove(take.on_audio)
        duration_s = round(track.end / SAMPLE_BYTES / rate_hz, 2)
        fault = await _save(path, track, rate_hz, in_thread)
        journal.note(TimelineKind.RECORDING, state="ended", duration_s=duration_s)
    if fault:
        raise StepFailedError("error", f"the recording could not be written: {fault}")
    return Recorded(str(path), duration_s, ended_by)


async def _until_its_end(
    request: RecordRequest, take: _Take, events: CallEvents, clock: Callable[[], float]
) -> EndedBy:
    deadline = clock() + min(request.max_s, _MAX_S)
    while True:
        event = await events.next(min(deadline, clock() + _LOOK_S))
        if isinstance(event, wire.Dtmf) and event.digit in request.end_keys:
            return "key"
        if clock() >= deadline:
            return "limit"
        if take.quiet_ms >= request.silence_s * 1000:
            return "silence"


async def _save(path: Path, track: Track, rate_hz: int, in_thread: InThread) -> str:
    """Why it failed, if so; it is logged, as a caller who has hung up ends the step otherwise."""
    try:
        track.flush()
        await in_thread(partial(_finish, path, rate_hz, track.end // SAMPLE_BYTES))
    except OSError as exc:
        log.error("a recording could not be written", error=exc.strerror)
        return exc.strerror or type(exc).__name__
    finally:
        track.close()
    return track.fault


def _finish(path: Path, rate_hz: int, samples: int) -> None:
    if samples:
        complete(path, rate_hz, MESSAGE_SIDES, samples)
    else:
        track_path(path, rate_hz, *MESSAGE_SIDES).unlink()
