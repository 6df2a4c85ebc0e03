"""Calls in which nothing fails: greeting, turns, the end by either side."""

import pytest

from gateway.backends import contract as ai
from gateway.config.barge_in import BargeInConfig
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason, Result, Termination
from tests.scenarios.scripted_backend import Opening
from tests.scenarios.stage import Stage

GREETING, ANSWER = 1000, 2000


async def test_a_call_is_greeted_answered_and_ended_by_the_caller() -> None:
    async with Stage([Opening(takes_s=0.2)]) as stage:
        backend = await stage.talking()
        backend.answer("item_1", GREETING, 500, text="hello")
        await stage.later(1000)
        stage.caller.speaking = True
        await stage.later(600)
        backend.emit(ai.SpeechStarted("item_2"))
        await stage.later(400)
        stage.caller.speaking = False
        await stage.later(300)
        backend.emit(ai.SpeechStopped("item_2"))
        await stage.later(100)
        backend.answer("item_3", ANSWER, 300, text="billing, then")
        backend.caller_said("item_2", "billing please")
        await stage.later(1000)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.reason is Reason.CALLER_HANGUP
    assert record.result is Result.COMPLETED
    assert record.sip_status == 200
    assert [event.kind for event in record.timeline] == [
        K.RINGING,
        K.BACKEND_CONNECTING,
        K.BACKEND_READY,
        K.ANSWERED,
        K.MEDIA,
        K.RESPONSE_STARTED,
        K.SAID,
        K.RESPONSE_DONE,
        K.FIRST_UTTERANCE,
        K.AGENT_AUDIO,
        K.AGENT_SILENT,
        K.SPEECH_STARTED,
        K.SPEECH_STOPPED,
        K.RESPONSE_STARTED,
        K.SAID,
        K.RESPONSE_DONE,
        K.SAID,
        K.AGENT_AUDIO,
        K.AGENT_SILENT,
        K.HANGUP,
        K.ENDED,
    ]
    assert stage.caller.heard_ms(GREETING) == 500
    assert stage.caller.heard_ms(ANSWER) == 300
    assert backend.names_told() == ["greet"]


async def test_the_figures_of_a_call_are_those_that_the_caller_noticed() -> None:
    async with Stage([Opening(takes_s=0.2)]) as stage:
        backend = await stage.talking()
        await stage.later(110)
        backend.answer("item_1", GREETING, 200)
        await stage.later(500)
        stage.caller.speaking = True
        await stage.later(1000)
        stage.caller.speaking = False
        await stage.later(400)
        backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
        await stage.later(100)
        backend.answer("item_3", ANSWER, 200)
        await stage.later(500)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.setup_ms == pytest.approx(200, abs=1)
    assert record.first_utterance_ms == pytest.approx(110, abs=20)
    assert record.turns == 1
    assert record.response_delay_p50_ms == pytest.approx(500, abs=41)
    assert record.barge_ins == 0
    assert record.billable_s == pytest.approx(record.duration_s - 0.2, abs=0.01)
    assert record.rx_lost == 0
    assert record.rx_packets == 100, "two whole seconds were reported"


async def test_the_callers_words_stand_before_the_answer_to_them() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(ai.SpeechStarted("item_1"), ai.SpeechStopped("item_1"))
        backend.answer("item_2", ANSWER, 100, text="which bill?")
        backend.caller_said("item_1", "my bill is wrong")
        await stage.later(200)
        said = [(words.role, words.text) for words in stage.journal.conversation.utterances]
        assert said == [("caller", "my bill is wrong"), ("agent", "which bill?")]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_audio_of_the_caller_reaches_the_service_only_while_connected() -> None:
    async with Stage([Opening(takes_s=1.0)]) as stage:
        backend = await stage.talking()
        await stage.later(1000)
        assert 960 <= backend.heard_ms <= 1000
        stage.leg.peer.hang_up()
        await stage.over()
        heard = backend.heard_ms
        await stage.later(500)
        assert backend.heard_ms == heard


async def test_end_call_waits_for_the_last_words() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.begin("item_1", ANSWER, 800)
        backend.emit(ai.FunctionCall("call_x", "end_call", "{}"))
        await stage.later(300)
        assert stage.phone() == "connected", "the answer is not complete yet"
        backend.finish("item_1")
        record = await stage.over(within_s=2.0)
    assert record.reason is Reason.AGENT_HANGUP
    assert record.result is Result.COMPLETED
    assert stage.caller.heard_ms(ANSWER) == 800
    assert [event.kind for event in record.timeline][-4:] == [
        K.RESPONSE_DONE,
        K.AGENT_SILENT,
        K.HANGUP,
        K.ENDED,
    ]
    silent_at, gone_at = (event.at_ms for event in record.timeline[-3:-1])
    assert gone_at - silent_at >= 200, "the far end's jitter buffer has to play it"


async def test_end_call_without_words_ends_with_its_response() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(
            ai.ResponseStarted("r"),
            ai.FunctionCall("call_x", "end_call", "{}"),
            ai.ResponseDone("r", "completed"),
        )
        record = await stage.over(within_s=0.3)
    assert record.reason is Reason.AGENT_HANGUP


async def test_end_call_does_not_wait_for_an_answer_that_failed_half_way() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.begin("item_1", ANSWER, 410)
        backend.emit(ai.FunctionCall("call_x", "end_call", "{}"))
        backend.emit(ai.ResponseDone("response of item_1", "failed", "overloaded"))
        record = await stage.over(within_s=1.0)
    assert record.reason is Reason.AGENT_HANGUP
    assert stage.caller.heard_ms(ANSWER) == 420


async def test_end_call_does_not_wait_for_a_service_that_goes_away() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.begin("item_1", ANSWER, 400)
        backend.emit(ai.FunctionCall("call_x", "end_call", "{}"))
        backend.lose()
        record = await stage.over(within_s=1.0)
    assert record.reason is Reason.AGENT_HANGUP
    assert stage.caller.heard_ms(ANSWER) == 400


async def test_an_unknown_function_is_answered_with_an_error() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(ai.FunctionCall("call_7", "open_the_pod_bay_doors", "{}"))
        _, call_id, output = await backend.until_told("tool_result")
        assert call_id == "call_7"
        assert "error" in str(output)
        assert [event.fields["name"] for event in stage.events(K.TOOL_CALL)] == ["open_the_pod_bay_doors"]
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_call_that_is_drained_ends_with_bye() -> None:
    async with Stage() as stage:
        await stage.talking()
        stage.call.end(Reason.DRAINED)
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.DRAINED
    assert Termination(record.reason).result is record.result is Result.FAILED
    assert record.sip_status == 200, "the dialog had its 200"


async def test_a_delay_is_told_in_the_parts_that_it_was_spent_in() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        stage.caller.speaking = True
        await stage.later(1000)
        stage.caller.speaking = False
        await stage.later(500)
        backend.caller_turn("item_1")
        await stage.later(300)
        backend.answer("item_2", ANSWER, 200)
        await stage.later(500)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.response_detection_p50_ms == pytest.approx(500, abs=41)
    assert record.response_backend_p50_ms == pytest.approx(300, abs=1)
    assert record.response_gateway_p50_ms == pytest.approx(0, abs=1)
    assert record.response_playout_p50_ms is not None
    assert 0 <= record.response_playout_p50_ms <= 40
    (audio,) = [event for event in record.timeline if event.kind is K.AGENT_AUDIO]
    parts = [audio.fields[f"{part}_ms"] for part in ("detection", "backend", "gateway", "playout")]
    assert sum(part for part in parts if isinstance(part, float)) == pytest.approx(
        record.response_delay_p50_ms, abs=0.3
    )


async def test_dead_air_is_noted_with_who_let_it_happen() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", GREETING, 400)
        await stage.later(3500)
        stage.caller.speaking = True
        await stage.later(600)
        stage.caller.speaking = False
        await stage.later(3500)
        stage.leg.peer.hang_up()
        record = await stage.over()
    after_agent, after_caller = (event for event in record.timeline if event.kind is K.SILENCE)
    assert (after_agent.fields["after"], after_caller.fields["after"]) == ("agent", "caller")
    assert after_agent.fields["duration_ms"] == pytest.approx(3100, abs=150)
    assert record.silences == 2
    assert record.silence_ms == pytest.approx(3100 + 3200, abs=300)


async def test_an_agent_that_speaks_into_the_callers_words_is_noted() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        stage.caller.speaking = True
        await stage.later(1000)
        backend.answer("item_1", ANSWER, 200)
        await stage.later(500)
        stage.caller.speaking = False
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.agent_interruptions == 1


async def test_a_stop_that_no_words_follow_is_false() -> None:
    async with Stage(barge_in=BargeInConfig(by="backend")) as stage:
        backend = await stage.talking()
        backend.answer("item_1", GREETING, 200)
        backend.caller_said("item_0", "hello?")
        await stage.later(500)
        backend.begin("item_2", ANSWER, 9000)
        await stage.later(1000)
        stage.caller.speaking = True
        await stage.later(400)
        backend.emit(ai.SpeechStarted("item_3"))
        await stage.later(1100)
        stage.caller.speaking = False
        await stage.later(4000)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.barge_ins == 1
    assert record.false_interruptions == 1
