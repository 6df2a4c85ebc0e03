"""What is heard on both ends: tones by FFT, human words, keys, hold."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from gateway.core.record import CallRecord, TimelineKind
from gateway.media.g711 import ulaw_decode
from tests.integration.baresip import Baresip
from tests.integration.echo import echo_gateway
from tests.integration.harness import GatewayProcess
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone
from tests.peers import SOUNDS_DIR

DIALOGUES = Path(__file__).parent / "dialogues"
_HELD_UP_S = 0.5


def media_directions(record: CallRecord) -> list[object]:
    """Whether the caller held us, after each negotiation that changed it."""
    held = [e.fields.get("held") for e in record.timeline if e.kind is TimelineKind.MEDIA]
    return [value for i, value in enumerate(held) if i == 0 or value != held[i - 1]]


async def test_a_tone_passes_in_both_directions(tmp_path: Path) -> None:
    recording = tmp_path / "phone.wav"
    async with echo_gateway(audio="pcmu") as (gateway, backend):
        async with Softphone(gateway.uri(), record=recording) as phone:
            # Not "silence": if this process, the agent, is held up, the phone would hang up in the gap.
            await phone.done("tone 1000 2000", "pause 1.5")
            summary = await phone.finish()
        await gateway.settled()
        assert summary["worked"], summary
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
        received = np.frombuffer(ulaw_decode(bytes(backend.sessions[0].audio)), dtype="<i2")
    assert (record.rx_lost, record.uplink_dropped_ms, record.playout_dropped_ms) == (0, 0, 0)
    assert seconds_of_tone(received, 1000) == pytest.approx(2.0, abs=0.25)
    assert seconds_of_tone(left_channel(recording), 1000) == pytest.approx(2.0, abs=0.25)


async def test_no_word_is_lost_while_the_core_is_held_up(tmp_path: Path) -> None:
    recording = tmp_path / "phone.wav"
    async with echo_gateway(audio="pcmu") as (gateway, backend):
        (core,) = [each.pid for each in gateway.processes() if "gateway.app" in each.command]
        async with Softphone(gateway.uri(), record=recording) as phone:
            phone.do("tone 1000 2000", "pause 2")
            await phone.event("sound_started")
            os.kill(core, signal.SIGSTOP)
            await asyncio.sleep(_HELD_UP_S)
            os.kill(core, signal.SIGCONT)
            assert (await phone.finish())["worked"]
        await gateway.settled()
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
        received = np.frombuffer(ulaw_decode(bytes(backend.sessions[0].audio)), dtype="<i2")
    assert (record.rx_lost, record.uplink_dropped_ms, record.playout_dropped_ms) == (0, 0, 0)
    assert seconds_of_tone(received, 1000) == pytest.approx(2.0, abs=0.25)
    assert seconds_of_tone(left_channel(recording), 1000) == pytest.approx(2.0, abs=0.25)
    assert record.underruns >= 1, "the caller heard the gap, and it was counted"


async def test_keys_reach_the_agent() -> None:
    async with echo_gateway() as (gateway, backend):
        async with Softphone(gateway.uri()) as phone:
            await phone.done("dtmf 5#")
            session = await backend.until(1, "conversation.item.create", times=2)
        await gateway.settled()
    items = session.of_type("conversation.item.create")
    texts = [part["text"] for item in items for part in item["item"]["content"]]
    assert texts == ["DTMF: 5", "DTMF: #"]


async def test_hold_stops_the_agents_audio_and_resume_brings_it_back() -> None:
    async with echo_gateway() as (gateway, _backend):
        async with Softphone(gateway.uri()) as phone:
            await phone.done("tone 1000 500", "hear 3", "silence 3")
            await phone.done("hold")
            await phone.event("media", where=lambda e: not e["receiving"])
            mark = len(phone.events)
            await phone.done("resume")
            await phone.event("media", since=mark, where=lambda e: bool(e["receiving"]))
            await phone.done("tone 1000 500", "hear 3", "silence 3")
        await gateway.settled()
        call = await gateway.logged("call ended")
        record = await gateway.record(str(call["call_id"]))
    assert media_directions(record) == [False, True, False]


@pytest.mark.needs("baresip")
async def test_baresip_calls_holds_and_resumes() -> None:
    async with echo_gateway(audio="pcmu") as (gateway, backend), Baresip(1000) as phone:
        await phone.command("dial", gateway.uri())
        await phone.event("CALL_ESTABLISHED")
        session = await backend.until(1)
        await backend.heard(session, 8000)
        await phone.command("hold")
        await phone.event("CALL_REMOTE_SDP", 2)
        reports = len(phone.events_of("CALL_RTCP"))
        await phone.command("resume")
        await phone.event("CALL_REMOTE_SDP", 3)
        await phone.event("CALL_RTCP", reports + 1)
        assert phone.events_of("CALL_RTCP")[reports]["rtcp_stats"]["rx"]["sent"] > 0
        await backend.heard(session, len(session.audio) + 8000)
        await phone.command("hangup")
        await phone.event("CALL_CLOSED")
        await gateway.settled()
        received = np.frombuffer(ulaw_decode(bytes(session.audio)), dtype="<i2")
        assert seconds_of_tone(received, 1000) >= 1.5
        # baresip's recorder does not outlive a hold: this is what came before it.
        assert seconds_of_tone(phone.heard(), 1000) >= 0.5
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
    assert media_directions(record) == [False, True, False]


@pytest.mark.needs("sounds")
async def test_the_bot_understands_recorded_human_words() -> None:
    agent = {"backend": "bot", "dialogue": str(DIALOGUES / "numbers.yaml")}
    spoken = {"three": "3", "four": "4", "nine": "9"}
    async with GatewayProcess(agents={"counter": agent}) as gateway:
        async with Softphone(gateway.uri()) as phone:
            await phone.done("hear 10", "silence 10")
            for file in spoken.values():
                await phone.done(f"say {SOUNDS_DIR}/digits/{file}.wav", "hear 5", "silence 10")
            assert (await phone.finish())["worked"]
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
    said = [(e.fields["role"], e.fields["text"]) for e in record.timeline if e.kind is TimelineKind.SAID]
    assert [text for role, text in said if role == "caller"] == list(spoken)
    for word in spoken:
        assert any(role == "agent" and f"That was {word}" in str(text) for role, text in said), said
