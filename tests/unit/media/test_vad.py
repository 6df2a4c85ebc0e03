"""Voice activity on the recorded words of the demo phone."""

import wave
from importlib.resources import files
from math import sqrt

import numpy as np
import pytest

from gateway.media.vad import VoiceActivity

FRAME = 320
SPEECH = files("gateway.softphone") / "speech"


def frames_of(name: str) -> list[bytes]:
    with (SPEECH / name).open("rb") as file, wave.open(file) as recording:
        pcm = recording.readframes(recording.getnframes()) + bytes(16000)
    return [pcm[i : i + FRAME] for i in range(0, len(pcm) - FRAME + 1, FRAME)]


def level(pcm: bytes) -> float:
    return sqrt(float(np.mean(np.square(np.frombuffer(pcm, np.int16).astype(np.float64)))))


@pytest.mark.parametrize("name", ["ask_billing.wav", "goodbye.wav", "interrupt.wav", "yes_please.wav"])
def test_speech_begins_and_ends_where_its_loud_frames_do(name: str) -> None:
    frames = frames_of(name)
    loudest = max(map(level, frames))
    loud = [i for i, frame in enumerate(frames) if level(frame) > loudest * 0.05]
    vad = VoiceActivity(8000)
    speech = [i for i, frame in enumerate(frames) if vad.is_speech(frame)]
    assert abs(speech[0] - loud[0]) <= 4
    assert abs(speech[-1] - loud[-1]) <= 2


def test_silence_is_no_speech() -> None:
    vad = VoiceActivity(8000)
    assert not any(vad.is_speech(bytes(FRAME)) for _ in range(50))


def test_a_quiet_noise_after_loud_speech_is_no_speech() -> None:
    frames = frames_of("ask_billing.wav")
    vad = VoiceActivity(8000)
    for frame in frames:
        vad.is_speech(frame)
    noise = np.random.default_rng(1).normal(0, 40, (50, FRAME // 2)).astype(np.int16)
    assert not any(vad.is_speech(chunk.tobytes()) for chunk in noise)


def test_other_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="8000 or 16000"):
        VoiceActivity(24000)
