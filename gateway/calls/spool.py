"""Recordings on their way: raw tracks on disk, which outlive the process that writes them.

    call_….wav                the recording, from the moment it is complete
    call_….8000.caller        s16le at 8 kHz; with `.heard` the two sides of a call
    call_….8000.heard
    call_….8000.message       a message to a mailbox

Whoever writes a track holds a lock on its file. What the next core finds without a lock, and does not go
on with, it completes (`complete_leftovers`): of a process that was killed at most `_PENDING_BYTES` a
track are lost.
"""

import fcntl
import os
import wave
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Final, Literal

import numpy as np

from gateway.core.audio import SAMPLE_BYTES
from gateway.core.ids import CallId
from gateway.errors import LocalError
from gateway.observe.log import get_logger

Side = Literal["caller", "heard", "message"]

CALL_SIDES: Final[tuple[Side, ...]] = ("caller", "heard")
MESSAGE_SIDES: Final[tuple[Side, ...]] = ("message",)

_FIRST_SIDES: Final[dict[str, tuple[Side, ...]]] = {"caller": CALL_SIDES, "message": MESSAGE_SIDES}
"""By the side that stands for the whole recording: its lock is the recording's."""
_PENDING_BYTES: Final = 4 << 10
"""An eighth of a second at 16 kHz: what a kill costs."""
_CHUNK_SAMPLES: Final = 1 << 16

log = get_logger()


class Track:
    """One side on its way to disk; pieces may be written anywhere behind what is there already."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        """Raises `LocalError`, also when somebody else writes it, or there is nothing to `resume`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if resume else "x+b", buffering=0)
        except OSError as exc:
            raise LocalError(f"the recording cannot be written: {exc.strerror}") from exc
        if not _lock(self._file.fileno()):
            self._file.close()
            raise LocalError("the recording is being written by somebody else")
        self._pending = bytearray()
        self.end = os.fstat(self._file.fileno()).st_size // SAMPLE_BYTES * SAMPLE_BYTES
        """Bytes so far."""
        self._start = self.end
        self.fault = ""
        """Why nothing more is written, if so: a full disk must not end a call."""

    def write(self, offset: int, pcm: bytes) -> None:
        """Put PCM at a place; a gap before it is silence, and it may overwrite what is there."""
        if offset != self._start + len(self._pending):
            self.flush()
            self._start = offset
        self._pending += pcm
        self.end = max(self.end, offset + len(pcm))
        if len(self._pending) >= _PENDING_BYTES:
            self.flush()

    def append(self, pcm: bytes) -> None:
        """Put PCM behind what is there."""
        self.write(self.end, pcm)

    def flush(self) -> None:
        """Write what is pending; a failure is logged and remembered as `fault`."""
        pending, self._pending = memoryview(bytes(self._pending)), bytearray()
        while pending and not self.fault:
            try:
                written = os.pwrite(self._file.fileno(), pending, self._start)
            except OSError as exc:
                self.fault = exc.strerror or type(exc).__name__
                log.error("a recording ends early", error=self.fault)
                return
            self._start += written
            pending = pending[written:]

    def close(self) -> None:
        """Let others have it."""
        self._file.close()


def track_path(wav: Path, rate_hz: int, side: Side) -> Path:
    """Where a side of a recording is spooled."""
    return wav.with_name(f"{wav.stem}.{rate_hz}.{side}")


def free_path(directory: Path, call_id: CallId, rate_hz: int) -> Path:
    """A name for a call's next recording, which takes the place of none that is there, whole or not.

    A call keeps its sample rate. Asks for names one by one: the directory may be large.
    """
    for number in count(1):
        path = directory / (f"{call_id}.wav" if number == 1 else f"{call_id}-{number}.wav")
        tracks = (track_path(path, rate_hz, side) for side in (*CALL_SIDES, *MESSAGE_SIDES))
        if not any(each.exists() for each in (path, path.with_suffix(".part"), *tracks)):
            return path
    raise AssertionError("unreachable")


def complete(wav: Path, rate_hz: int, sides: Sequence[Side], samples: int) -> None:
    """Make the WAV of flushed tracks, one channel a side, and remove them. Raises `OSError`.

    Whoever asks holds the tracks' locks until it is done. The file appears when it is whole. Blocks for
    as long as the disk takes.
    """
    tracks = [track_path(wav, rate_hz, side) for side in sides]
    unfinished = wav.with_suffix(".part")
    with ExitStack() as files:
        readers = [files.enter_context(track.open("rb")) for track in tracks]
        out = files.enter_context(unfinished.open("wb"))
        writer = files.enter_context(wave.open(out, "wb"))
        writer.setnchannels(len(sides))
        writer.setsampwidth(SAMPLE_BYTES)
        writer.setframerate(rate_hz)
        for start in range(0, samples, _CHUNK_SAMPLES):
            size = min(_CHUNK_SAMPLES, samples - start) * SAMPLE_BYTES
            frames = np.empty((size // SAMPLE_BYTES, len(sides)), np.int16)
            for column, reader in enumerate(readers):
                frames[:, column] = np.frombuffer(reader.read(size).ljust(size, b"\0"), np.int16)
            writer.writeframes(frames.tobytes())
    unfinished.replace(wav)
    for track in tracks:
        track.unlink()


def complete_leftovers(directory: Path) -> int:
    """Complete what processes that are gone left behind; how many recordings. Blocks; faults are logged."""
    return sum(
        _complete_one(track, sides)
        for first, sides in _FIRST_SIDES.items()
        for track in sorted(directory.glob(f"*/*.{first}"))
    )


def _complete_one(first: Path, sides: Sequence[Side]) -> bool:
    stem, _, rate = first.stem.rpartition(".")
    if not stem or not rate.isdecimal():
        return False
    wav, rate_hz = first.with_name(f"{stem}.wav"), int(rate)
    try:
        with first.open("rb") as held:
            if not _lock(held.fileno()):
                return False
            tracks = [track_path(wav, rate_hz, side) for side in sides]
            for track in tracks:
                track.touch()
            samples = max(track.stat().st_size for track in tracks) // SAMPLE_BYTES
            if samples:
                complete(wav, rate_hz, sides, samples)
            else:
                for track in tracks:
                    track.unlink()
    except OSError as exc:
        log.error("an unfinished recording could not be completed", file=first.name, error=exc.strerror)
        return False
    return samples > 0


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
