"""Tracks on disk: what is written, who holds them, and what becomes of those that nobody holds."""

import errno
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from gateway.calls.spool import (
    CALL_SIDES,
    MESSAGE_SIDES,
    Side,
    Track,
    complete,
    complete_leftovers,
    free_path,
    track_path,
)
from gateway.core.ids import CallId
from gateway.errors import LocalError
from tests.sounds import steady

CALL = CallId("call_1")


def abandoned(wav: Path, said: dict[Side, int], rate_hz: int = 8000) -> None:
    """What a process leaves that is killed: one second of each side."""
    for side, value in said.items():
        track = Track(track_path(wav, rate_hz, side))
        track.append(steady(value, 1000 * rate_hz // 8000))
        track.flush()
        track.close()


def channels(wav: Path) -> tuple[int, np.ndarray]:
    """Rate, and samples of shape (n, channels)."""
    with wave.open(str(wav)) as reader:
        pcm = np.frombuffer(reader.readframes(reader.getnframes()), np.int16)
        return reader.getframerate(), pcm.reshape(-1, reader.getnchannels())


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_pieces_may_come_in_any_order_and_leave_silence_between(tmp_path: Path) -> None:
    track = Track(tmp_path / "a" / "x.8000.message")
    track.append(steady(1, 10))
    track.write(3200, steady(3, 100))
    track.write(160, steady(2, 10))
    track.write(3200, steady(4, 50))
    assert track.end == 4800
    track.flush()
    track.close()
    pcm = np.fromfile(tmp_path / "a" / "x.8000.message", np.int16)
    assert [int(pcm[at]) for at in (0, 80, 160, 1600, 2000, 2399)] == [1, 2, 0, 4, 3, 3]
    assert len(pcm) == 2400


def test_little_is_lost_of_a_process_that_is_killed(tmp_path: Path) -> None:
    track = Track(tmp_path / "x.8000.message")
    for _ in range(500):
        track.append(steady(5, 20))
    assert (tmp_path / "x.8000.message").stat().st_size >= 500 * 320 - (5 << 10)
    track.close()


def test_a_track_is_written_by_one_at_a_time_and_resumed_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.8000.caller"
    with pytest.raises(LocalError, match="No such file"):
        Track(path, resume=True)
    first = Track(path)
    first.append(steady(1, 10))
    with pytest.raises(LocalError, match="File exists"):
        Track(path)
    with pytest.raises(LocalError, match="somebody else"):
        Track(path, resume=True)
    first.flush()
    first.close()
    second = Track(path, resume=True)
    assert second.end == 160
    second.append(steady(2, 10))
    second.flush()
    second.close()
    assert list(np.fromfile(path, np.int16)[[0, 79, 80, 159]]) == [1, 1, 2, 2]


def test_leftovers_of_both_kinds_become_recordings(tmp_path: Path) -> None:
    calls, mailbox = tmp_path / "calls", tmp_path / "closed"
    abandoned(calls / "call_1.wav", {"caller": 100, "heard": 200}, 16000)
    abandoned(mailbox / "call_1.wav", {"message": 300})
    abandoned(mailbox / "call_2.wav", {"message": 0})
    track_path(mailbox / "call_2.wav", 8000, "message").write_bytes(b"")
    (mailbox / "notes.message").write_text("somebody's own")
    assert complete_leftovers(tmp_path) == 2
    rate_hz, both = channels(calls / "call_1.wav")
    assert (rate_hz, both.shape) == (16000, (16000, 2))
    assert (both[:, 0] == 100).all()
    assert (both[:, 1] == 200).all()
    rate_hz, one = channels(mailbox / "call_1.wav")
    assert (rate_hz, one.shape) == (8000, (8000, 1))
    assert (one == 300).all()
    assert names(calls) == ["call_1.wav"]
    assert names(mailbox) == ["call_1.wav", "notes.message"]
    assert complete_leftovers(tmp_path) == 0


def test_sides_of_unequal_length_are_filled_up_with_silence(tmp_path: Path) -> None:
    abandoned(tmp_path / "calls" / "call_1.wav", {"caller": 100})
    assert complete_leftovers(tmp_path) == 1
    _, both = channels(tmp_path / "calls" / "call_1.wav")
    assert (both == (100, 0)).all()


def test_what_is_being_written_is_left_alone(tmp_path: Path) -> None:
    wav = tmp_path / "closed" / "call_1.wav"
    track = Track(track_path(wav, 8000, "message"))
    track.append(steady(7, 1000))
    track.flush()
    assert complete_leftovers(tmp_path) == 0
    assert names(wav.parent) == ["call_1.8000.message"]
    complete(wav, 8000, MESSAGE_SIDES, 8000)
    track.close()
    assert names(wav.parent) == ["call_1.wav"]


def test_a_recording_that_cannot_be_completed_stays_as_it_is(tmp_path: Path) -> None:
    wav = tmp_path / "calls" / "call_1.wav"
    abandoned(wav, {"caller": 100, "heard": 200})
    wav.with_suffix(".part").mkdir()
    assert complete_leftovers(tmp_path) == 0
    assert {track_path(wav, 8000, side).name for side in CALL_SIDES} <= set(names(wav.parent))


def test_no_recording_takes_the_place_of_another(tmp_path: Path) -> None:
    assert free_path(tmp_path, CALL, 8000).name == "call_1.wav"
    (tmp_path / "call_1.wav").touch()
    assert free_path(tmp_path, CALL, 8000).name == "call_1-2.wav"
    (tmp_path / "call_1-2.8000.caller").touch()
    assert free_path(tmp_path, CALL, 8000).name == "call_1-3.wav"
    assert free_path(tmp_path, CallId("call_2"), 8000).name == "call_2.wav"


def test_a_full_disk_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = Track(tmp_path / "x.8000.message")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(200):
        track.append(steady(5, 20))
    assert track.fault == "No space left on device"
    track.close()
