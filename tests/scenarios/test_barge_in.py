"""The caller interrupts the agent."""

import asyncio
import wave
from importlib.resources import files
from itertools import cycle

import msgspec
import pytest

from gateway.backends import contract as ai
from gateway.config.barge_in import BargeInConfig
from gateway.core.audio import PcmFormat
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.media.resampler import Resampler
from gateway.wire import card as wire
from tests.scenarios.stage import Stage
from tests.sounds import frames

FIRST, SECOND = 1000, 2000


async def hang_up(stage: Stage) -> None:
    stage.leg.peer.hang_up()
    record = await stage.over()
    assert record.reason is Reason.CALLER_HANGUP


async def test_while_the_answer_is_being_made() -> None:
    async with Stage(barge_in=BargeInConfig(by="backend")) as stage:
        backend = await stage.talking()
        backend.begin("item_1", FIRST, 5000)
        await stage.later(1000)
        stage.caller.speaking = True
        await stage.later(180)
        backend.emit(ai.SpeechStarted("item_2"))
        _, item, played_ms = await backend.until_told("truncate")
        assert item == "item_1"
        assert played_ms == pytest.approx(1180, abs=21)
        assert backend.names_told() == ["greet", "interrupt", "truncate"]
        await stage.later(500)
        assert stage.caller.heard_ms(FIRST) == pytest.approx(played_ms, abs=20)
        (stop,) = stage.events(K.BARGE_IN)
        assert stop.fields["played_ms"] == played_ms
        assert stop.fields["stop_ms"] == pytest.approx(180, abs=41)
        assert stage.journal.meter.barge_in_stops_ms == [pytest.approx(stop.fields["stop_ms"], abs=0.1)]
        await hang_up(stage)


async def test_after_the_answer_was_made_but_not_heard() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 5000, text="a long story")
        await stage.later(2000)
        backend.emit(ai.SpeechStarted("item_2"))
        told = await backend.until_told("truncate")
        assert told[2] == pytest.approx(2000, abs=21)
        await stage.later(1000)
        assert stage.caller.heard_ms(FIRST) == pytest.approx(2000, abs=21)
        await hang_up(stage)


async def test_the_next_answer_is_heard_from_its_beginning() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.begin("item_1", FIRST, 3000)
        await stage.later(500)
        backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
        backend.answer("item_3", SECOND, 400)
        await stage.later(1000)
        # Its first frame may share the ramp to silence of the interrupted one.
        assert stage.caller.heard_ms(SECOND) in (400, 420)
        first_of_second = stage.caller.heard.index(SECOND)
        assert FIRST not in stage.caller.heard[first_of_second:]
        await hang_up(stage)


async def test_before_any_audio_there_is_nothing_to_stop() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(ai.ResponseStarted("r1"), ai.SpeechStarted("item_1"))
        backend.emit(ai.ResponseDone("r1", "cancelled"))
        await stage.later(300)
        assert backend.names_told() == ["greet"]
        assert not stage.events(K.BARGE_IN)
        assert stage.journal.meter.barge_in_stops_ms == []
        await hang_up(stage)


async def test_an_answer_heard_to_its_end_is_not_interrupted_by_the_next_turn() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 300)
        await stage.later(600)
        backend.emit(ai.SpeechStarted("item_2"))
        await stage.later(100)
        assert backend.names_told() == ["greet"]
        assert not stage.events(K.BARGE_IN)
        await hang_up(stage)


async def test_an_agent_that_paused_by_itself_was_not_stopped() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.begin("item_1", FIRST, 200)
        await stage.later(500)
        backend.emit(ai.SpeechStarted("item_2"))
        assert await backend.until_told("truncate") == ("truncate", "item_1", 200)
        await stage.later(100)
        assert not stage.events(K.BARGE_IN)
        assert stage.journal.meter.barge_in_stops_ms == []
        await hang_up(stage)


async def test_an_item_whose_end_crosses_the_interruption_was_heard() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 100)
        backend.answer("item_2", SECOND, 1000)
        while not stage.leg.playout.queued_ms <= 1000:
            stage.leg.peer.tick(None)
        # The card knows that item_1 is over; the core does not yet.
        backend.emit(ai.SpeechStarted("item_3"))
        await backend.until_told("truncate")
        await stage.later(100)
        assert [told for told in backend.told if told[0] == "truncate"] == [("truncate", "item_2", 0)]
        await hang_up(stage)


async def test_of_several_items_only_the_one_playing_was_heard() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 1000)
        backend.answer("item_2", SECOND, 1000)
        await stage.later(500)
        backend.emit(ai.SpeechStarted("item_3"))
        await backend.until_told("truncate")
        truncated = {told[1]: told[2] for told in backend.told if told[0] == "truncate"}
        assert truncated == {"item_1": pytest.approx(500, abs=21), "item_2": 0}
        assert [told[1] for told in backend.told if told[0] == "interrupt"] == ["item_1", "item_2"]
        await hang_up(stage)


async def test_a_key_interrupts_and_is_passed_on() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 5000)
        await stage.later(400)
        stage.leg.peer.press("5")
        await stage.later(100)
        assert backend.names_told() == ["greet", "interrupt", "dtmf", "truncate"]
        assert ("dtmf", "5") in backend.told
        assert stage.caller.heard_ms(FIRST) == pytest.approx(400, abs=21)
        kinds = stage.kinds()
        assert kinds.index(K.DTMF_IN) < kinds.index(K.BARGE_IN)
        await hang_up(stage)


async def test_a_key_in_silence_is_only_passed_on() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        stage.leg.peer.press("1")
        await stage.later(100)
        assert backend.told == [("greet",), ("dtmf", "1")]
        await hang_up(stage)


async def test_two_interruptions_are_two_barge_ins() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        for item in ("item_1", "item_2"):
            backend.answer(item, FIRST, 3000)
            await stage.later(500)
            backend.emit(ai.SpeechStarted(f"of {item}"))
            await stage.later(700)
            backend.emit(ai.SpeechStopped(f"of {item}"))
        assert len(stage.events(K.BARGE_IN)) == 2
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.barge_ins == 2


async def test_the_agent_goes_on_after_a_sound_of_listening() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 3000)
        await stage.later(500)
        backend.emit(ai.SpeechStarted("item_2"))
        await stage.later(200)
        backend.emit(ai.SpeechStopped("item_2"))
        await stage.later(3000)
        assert stage.caller.heard_ms(FIRST) == 3000, "nothing is lost by the pause"
        assert 150 <= stage.events(K.AGENT_RESUMED)[0].fields["paused_ms"] <= 250  # type: ignore[operator]
        assert not stage.events(K.BARGE_IN)
        assert backend.names_told() == ["greet"]
        await hang_up(stage)


async def test_an_answer_to_the_turn_takes_the_place_of_what_was_said_before() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 3000)
        await stage.later(500)
        backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
        await stage.later(400)
        backend.answer("item_3", SECOND, 400)
        await stage.later(1000)
        assert stage.caller.heard_ms(FIRST) < 950
        assert stage.caller.heard_ms(SECOND) in (400, 420)
        assert len(stage.events(K.BARGE_IN)) == 1
        await hang_up(stage)


def far_away(quality: wire.Quality) -> wire.Quality:
    """100 ms each way, and 10 ms of jitter there."""
    return msgspec.structs.replace(quality, rtt_ms=200.0, tx_jitter_ms=10.0)


async def test_what_was_under_way_when_it_was_flushed_was_not_heard() -> None:
    async with Stage() as stage:
        stage.leg.peer.network = far_away
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 5000)
        await stage.later(1500)
        stage.leg.peer.press("5")
        _, item, heard_ms = await backend.until_told("truncate")
        (stop,) = stage.events(K.BARGE_IN)
        assert stop.fields["played_ms"] == pytest.approx(1500, abs=21)
        assert (item, heard_ms) == ("item_1", stop.fields["played_ms"] - 130)  # type: ignore[operator]
        assert stop.fields["heard_ms"] == heard_ms
        await hang_up(stage)


async def test_what_was_under_way_arrives_while_the_agent_pauses() -> None:
    async with Stage() as stage:
        stage.leg.peer.network = far_away
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 5000)
        await stage.later(1500)
        backend.emit(ai.SpeechStarted("item_2"))
        _, _, heard_ms = await backend.until_told("truncate")
        assert heard_ms == pytest.approx(1500, abs=21)
        await hang_up(stage)


async def test_a_service_that_heard_nothing_of_an_interruption_is_asked_to_go_on() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", FIRST, 5000)
        stage.caller.voice = cycle(words(stage.leg.pcm_format.sample_rate_hz))
        await stage.later(1500)
        stage.caller.speaking = True
        await stage.later(900)
        stage.caller.speaking = False
        await stage.later(1000)
        assert backend.names_told() == ["greet", "interrupt", "truncate"]
        await backend.until_told("resume")
        await stage.later(3000)
        assert backend.names_told().count("resume") == 1
        await hang_up(stage)


async def test_what_a_lost_service_was_hearing_says_nothing_of_the_next() -> None:
    async with Stage() as stage:
        first = await stage.talking()
        first.emit(ai.SpeechStarted("item_0"))
        first.lose()
        backend = await stage.session(2)
        await backend.until_told("greet")
        backend.answer("item_1", FIRST, 5000)
        stage.caller.voice = cycle(words(stage.leg.pcm_format.sample_rate_hz))
        await stage.later(1500)
        stage.caller.speaking = True
        await stage.later(900)
        stage.caller.speaking = False
        async with asyncio.timeout(5.0):
            await backend.until_told("resume")
        await hang_up(stage)


def words(rate_hz: int) -> list[bytes]:
    """A second of a human voice that does not pause."""
    path = files("gateway.softphone") / "speech" / "ask_billing.wav"
    with path.open("rb") as file, wave.open(file) as reader:
        pcm = b"".join(frames(reader.readframes(reader.getnframes()))[1:51])
        recorded_hz = reader.getframerate()
    if rate_hz != recorded_hz:
        pcm = Resampler(recorded_hz, rate_hz).process(pcm)
    return frames(pcm, PcmFormat(rate_hz))
