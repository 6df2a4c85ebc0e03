"""Recordings of a call that begin while somebody speaks, and voices with gaps."""

import wave
from pathlib import Path

import numpy as np
import pytest

from tests.scenarios.stage import Stage

VOICE, NEXT = 2000, 2500


def heard(path: Path) -> np.ndarray:
    """What the caller heard, 8 kHz."""
    with wave.open(str(path)) as reader:
        return np.frombuffer(reader.readframes(reader.getnframes()), np.int16).reshape(-1, 2)[:, 1]


def places_s(pcm: np.ndarray, value: int) -> tuple[float, float]:
    """When a value was first heard, and how long in all."""
    at = np.flatnonzero(pcm == value)
    return float(at[0]) / 8000, len(at) / 8000


async def ended(stage: Stage) -> None:
    stage.leg.peer.hang_up()
    await stage.over()


async def test_what_is_being_said_when_it_begins_is_recorded_from_there(tmp_path: Path) -> None:
    async with Stage(recordings=tmp_path) as stage:
        backend = await stage.talking()
        backend.answer("item_1", VOICE, 1000)
        backend.answer("item_2", NEXT, 500)
        await stage.later(400)
        path = Path(stage.call.desk.record())
        await stage.later(2000)
        await ended(stage)
    assert places_s(heard(path), VOICE) == pytest.approx((0.0, 0.62), abs=0.05)
    assert places_s(heard(path), NEXT) == pytest.approx((0.62, 0.5), abs=0.05)


async def test_what_had_been_paused_when_it_begins_is_recorded_when_it_goes_on(tmp_path: Path) -> None:
    async with Stage(recordings=tmp_path) as stage:
        backend = await stage.talking()
        backend.answer("item_1", VOICE, 1000)
        await stage.later(400)
        spoken = stage.call.bridge.agent.spoken
        spoken.pause(stage.clock())
        await stage.later(300)
        path = Path(stage.call.desk.record())
        await stage.later(300)
        spoken.resume(stage.clock())
        await stage.later(200)
        spoken.pause(stage.clock())
        await stage.later(500)
        spoken.resume(stage.clock())
        await stage.later(1000)
        await ended(stage)
    start_s, duration_s = places_s(heard(path), VOICE)
    assert (start_s, duration_s) == pytest.approx((0.3, 0.62), abs=0.05)
    last = np.flatnonzero(heard(path) == VOICE)[-1] / 8000
    assert last - start_s == pytest.approx(0.62 + 0.5, abs=0.06), "with the second pause in between"


async def test_a_voice_with_gaps_keeps_them(tmp_path: Path) -> None:
    async with Stage(recordings=tmp_path) as stage:
        backend = await stage.talking()
        path = Path(stage.call.desk.record())
        backend.begin("item_1", VOICE, 200)
        await stage.later(1200)
        backend.audio("item_1", NEXT, 200)
        backend.finish("item_1")
        await stage.later(800)
        await ended(stage)
    assert places_s(heard(path), VOICE) == pytest.approx((0.0, 0.2), abs=0.06)
    assert places_s(heard(path), NEXT) == pytest.approx((1.2, 0.2), abs=0.06)
