"""What recordings of a call hold, when several things happen at once."""

import asyncio
import errno
import os
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from structlog.testing import capture_logs

from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallControl, Recorded, RecordRequest
from gateway.legs.loopback import LoopbackLeg
from tests.scenarios.stage import TALK, Stage
from tests.scenarios.telephones import Exchange, Habit

ANNA = "webrtc:anna"
MESSAGE = RecordRequest(max_s=20.0, silence_s=2.0, end_keys="#", beep=False, mailbox="box")


def channels(path: Path) -> npt.NDArray[np.int16]:
    """Samples of a WAV file, a row each."""
    with wave.open(str(path), "rb") as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, wav.getnchannels())


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
async def test_a_message_ends_with_silence_at_every_rate(tmp_path: Path, rate_hz: int) -> None:
    done: list[Recorded] = []

    async def plan(call: CallControl) -> None:
        done.append(await call.record(MESSAGE))

    leg = LoopbackLeg(asyncio.get_running_loop().time, sample_rate_hz=rate_hz)
    async with Stage(plan=plan, first_talk=None, leg=leg, recordings=tmp_path) as stage:
        stage.caller.speaking = True
        await stage.later(3000)
        stage.caller.speaking = False
        record = await stage.over()
    assert record.reason is Reason.PLAN_ENDED
    (recorded,) = done
    assert recorded.by == "silence"
    assert recorded.duration_s == pytest.approx(5.0, abs=0.5)


async def test_a_caller_who_hangs_up_ends_the_step_though_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def plan(call: CallControl) -> None:
        await call.record(MESSAGE)

    monkeypatch.setattr("gateway.calls.voicemail._finish", full)
    with capture_logs() as logged:
        async with Stage(plan=plan, first_talk=None, recordings=tmp_path) as stage:
            stage.caller.speaking = True
            await stage.later(1000)
            stage.leg.peer.hang_up()
            record = await stage.over(within_s=1.0)
    assert record.reason is Reason.CALLER_HANGUP
    assert "a recording could not be written" in [entry["event"] for entry in logged]


async def test_a_message_and_the_recording_of_the_call_both_have_the_caller(tmp_path: Path) -> None:
    async def plan(call: CallControl) -> None:
        await call.record(MESSAGE)
        await call.talk(TALK)

    async with Stage(plan=plan, first_talk=None, recordings=tmp_path) as stage:
        await stage.later(200)
        path = Path(stage.call.desk.record())
        stage.caller.speaking = True
        await stage.later(2000)
        stage.caller.speaking = False
        await stage.talking()
        stage.caller.speaking = True
        await stage.later(1000)
        stage.leg.peer.hang_up()
        await stage.over()
    caller = channels(path)[:, 0]
    assert np.abs(caller[:8000]).max() > 5000
    assert np.abs(caller[-4000:]).max() > 5000, "after the message too"


async def test_the_agent_is_in_the_recording_once_while_others_are_in_the_call(tmp_path: Path) -> None:
    exchange = Exchange({ANNA: Habit(1.0)})
    async with Stage(dialler=exchange, recordings=tmp_path) as stage:
        backend = await stage.talking()
        path = Path(stage.call.desk.record())
        await stage.call.desk.bridge(ANNA, "speak", 10.0)
        backend.answer("item_1", 5000, 3000)
        await stage.later(4000)
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()
    heard = channels(path)[:, 1]
    spoken = np.flatnonzero(np.abs(heard) > 2500)
    assert spoken.size == pytest.approx(3 * 8000, rel=0.02)
    assert spoken[-1] - spoken[0] < 3.1 * 8000, "in one piece"
