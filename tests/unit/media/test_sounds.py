"""Sound files of a plan: what is taken, converted, and refused."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from gateway.media.sounds import SoundError, SoundFiles, read_wav, wav_fault


def write(path: Path, *, channels: int = 1, width: int = 2, rate_hz: int = 8000, level: int = 8000) -> None:
    """A quarter of a second of one value."""
    frames = np.full(rate_hz // 4 * channels, level, np.int16).tobytes()
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate_hz)
        sound.writeframes(frames)


@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 8000), (2, 44100), (6, 48000), (1, 4000)])
def test_usual_files_are_converted(tmp_path: Path, channels: int, rate_hz: int) -> None:
    path = tmp_path / "x.wav"
    write(path, channels=channels, rate_hz=rate_hz)
    assert wav_fault(path) == ""
    pcm = np.frombuffer(read_wav(path, 16000), np.int16)
    assert abs(len(pcm) - 4000) < 200
    assert abs(int(np.median(pcm)) - 8000) < 200


def test_what_the_header_tells_against_is_not_played(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write(path, width=1)
    assert wav_fault(path) == "a WAV file of 8 bit"
    with pytest.raises(SoundError, match=r"x\.wav: a WAV file of 8 bit, expected a WAV file of 16 bit PCM"):
        read_wav(path, 8000)


def test_a_missing_file() -> None:
    assert wav_fault(Path("/nowhere/x.wav")) == "no such file or directory"


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path, files = tmp_path / "x.wav", SoundFiles()
    write(path, level=1000)
    first = await files.pcm(path, 8000)
    assert await files.pcm(path, 8000) is first
    write(path, level=3000)
    os.utime(path, ns=(1, 1))
    assert int(np.median(np.frombuffer(await files.pcm(path, 8000), np.int16))) == 3000
