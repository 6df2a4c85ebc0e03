"""Services that are lost, hang or crawl, and the agents that take over from them."""

import asyncio
from dataclasses import replace

import pytest

from gateway.backends import contract as ai
from gateway.backends.contract import BackendError
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.stage import AGENT, Stage
from tests.scenarios.surroundings import APOLOGY, FILLER
from tests.sounds import samples

SECOND = ("second",)
WELL = Opening()
DOWN = Opening(error=BackendError("unreachable", "connection refused", retryable=True))
HEALTHY = ai.BackendHealth(0.0, 0.0, 20.0, 0.0)
ANSWER = 2000


async def converse(stage: Stage) -> ScriptedBackend:
    """A first exchange that ends with the caller's words."""
    backend = await stage.talking()
    backend.condition = HEALTHY
    backend.answer("item_1", ANSWER, 100, text="hello")
    backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
    backend.caller_said("item_2", "billing please")
    await stage.later(400)
    return backend


async def hang_up(stage: Stage) -> None:
    stage.leg.peer.hang_up()
    await stage.over()


async def test_a_service_that_is_down_at_first_is_replaced_before_anybody_notices() -> None:
    async with Stage([DOWN, WELL], fallback=SECOND) as stage:
        second = await stage.session(2)
        await second.until_told("greet")
        assert second.context.agent == "second"
        assert stage.journal.figures.agent == "second"
        await hang_up(stage)
    assert stage.caller.heard_ms(FILLER) == 0


async def test_the_standby_goes_on_with_the_conversation_when_the_service_stays_away() -> None:
    async with Stage([WELL, WELL, DOWN], fallback=SECOND) as stage:
        first = await converse(stage)
        first.lose()
        lost_at = stage.clock()
        standby = await stage.session(2)
        while not stage.events(K.FALLBACK):
            await stage.later(20)
        assert stage.clock() - lost_at < 3.0
        assert standby.context.agent == "second"
        assert [line.text for line in standby.history] == ["hello", "billing please"]
        await standby.until_told("resume")
        standby.answer("item_9", 2500, 200)
        await stage.later(500)
        assert stage.caller.heard_ms(2500) == 200
        assert stage.call.state is CallState.TALKING
        await hang_up(stage)


async def test_a_frozen_service_is_replaced_and_the_caller_is_told_to_wait() -> None:
    async with Stage([WELL, replace(WELL, takes_s=1.0)], fallback=SECOND) as stage:
        first = await converse(stage)
        frozen_at = stage.clock()
        first.condition = replace(HEALTHY, unanswered_s=1.0)
        while FILLER not in stage.caller.heard:
            await stage.later(20)
        assert stage.clock() - frozen_at < 1.5
        second = await stage.session(2)
        await second.until_told("resume")
        assert stage.clock() - frozen_at < 3.0
        await stage.later(1000)
        assert first.closed
        assert second.heard_ms > 900
        await hang_up(stage)


async def test_a_standby_that_was_not_needed_is_let_go() -> None:
    async with Stage([WELL, WELL], fallback=SECOND) as stage:
        first = await converse(stage)
        first.condition = replace(HEALTHY, ping_ms=900.0)
        await stage.later(1500)
        standby = await stage.session(2)
        first.condition = HEALTHY
        await stage.later(20_000)
        assert standby.closed
        assert standby.told == []
        assert not stage.events(K.FALLBACK)
        assert stage.caller.heard_ms(FILLER) == 0
        await hang_up(stage)


async def test_a_slow_connection_is_narrowed_and_widened_again_after_a_good_minute() -> None:
    async with Stage([WELL]) as stage:
        backend = await converse(stage)
        backend.condition = replace(HEALTHY, backlog_ms=160.0)
        await stage.later(3000)
        assert backend.narrowed == [True]
        backend.condition = HEALTHY
        await stage.later(55_000)
        assert backend.narrowed == [True]
        await stage.later(10_000)
        assert backend.narrowed == [True, False]
        assert [str(event.fields["text"]) for event in stage.events(K.NOTE)] == [
            "audio with the agent is narrowed: slow connection",
            "audio is widened again",
        ]
        await hang_up(stage)


async def test_a_slow_session_that_is_lost_is_opened_anew_with_narrow_audio() -> None:
    async with Stage([WELL, WELL, WELL], fallback=SECOND) as stage:
        first = await converse(stage)
        first.condition = replace(HEALTHY, ping_ms=900.0)
        await stage.later(1500)
        first.lose()
        again = await stage.session(3)
        assert [backend.context.agent for backend in stage.backends] == [AGENT, "second", AGENT]
        assert [backend.context.narrow for backend in stage.backends] == [False, False, True]
        await again.until_told("resume")
        again.condition = HEALTHY
        await stage.later(65_000)
        assert again.narrowed == [False]
        await hang_up(stage)


async def test_a_healthy_session_that_is_lost_is_opened_anew_with_wide_audio() -> None:
    async with Stage([WELL, WELL]) as stage:
        first = await converse(stage)
        first.lose()
        again = await stage.session(2)
        assert again.context.narrow is False
        await again.until_told("resume")
        assert first.narrowed == again.narrowed == []
        await hang_up(stage)


async def test_an_opening_that_crashes_leaves_the_breaker_free_to_probe() -> None:
    crash = Opening(error=ZeroDivisionError())
    async with Stage([crash, WELL]) as stage:
        breaker = stage.settings.breakers.of(AGENT)
        for _ in range(6):
            breaker.failed(stage.clock() - 30.0)
        assert breaker.state(stage.clock()) == "half_open"
        record = await stage.over()
        assert record.reason is Reason.INTERNAL_ERROR
        assert breaker.admit(stage.clock()), "the next call may try"


async def test_words_that_the_lost_service_was_listening_to_are_heard_by_the_next() -> None:
    async with Stage([WELL, WELL], fallback=SECOND) as stage:
        first = await converse(stage)
        first.answer("item_3", ANSWER, 100, text="which bill")
        await stage.later(1000)
        stage.caller.speaking = True
        await stage.later(600)
        first.condition = replace(HEALTHY, unanswered_s=1.0)
        second = await stage.session(2)
        stage.caller.speaking = False
        while not stage.events(K.FALLBACK):
            await stage.later(20)
        assert second.heard_ms >= 600
        assert samples(bytes(second.heard)).max() > 3000, "the caller's voice"
        assert second.told == [], "it hears the words itself, and answers them"
        while not stage.caller.heard_ms(FILLER):
            await stage.later(20)
        second.caller_turn("item_4")
        second.answer("item_5", 2500, 200, text="about the bill")
        await stage.later(300)
        assert stage.caller.heard_ms(2500) == pytest.approx(200, abs=20)
        assert stage.caller.heard_ms(FILLER) < 400, "the answer takes its place"
        await hang_up(stage)


async def test_a_noise_after_the_callers_words_keeps_nobody_from_answering_them() -> None:
    async with Stage([WELL, WELL]) as stage:
        first = await converse(stage)
        stage.caller.speaking = True
        await stage.later(60)
        stage.caller.speaking = False
        await stage.later(200)
        assert stage.call.bridge.agent.unheard.waiting
        first.lose()
        second = await stage.session(2)
        async with asyncio.timeout(1.0):
            await second.until_told("resume")
        await hang_up(stage)


async def test_a_session_that_hears_nothing_in_the_words_before_it_is_asked_to_answer() -> None:
    async with Stage([WELL, WELL]) as stage:
        first = await converse(stage)
        stage.caller.speaking = True
        await stage.later(600)
        stage.caller.speaking = False
        first.lose()
        second = await stage.session(2)
        await stage.later(1000)
        assert second.told == []
        async with asyncio.timeout(1.5):
            await second.until_told("resume")
        await stage.later(5000)
        assert second.names_told() == ["resume"]
        await hang_up(stage)


async def test_words_to_somebody_else_are_not_for_the_next_session() -> None:
    async with Stage([WELL, WELL], fallback=SECOND) as stage:
        first = await converse(stage)
        first.answer("item_3", ANSWER, 100, text="which bill")
        await stage.later(1000)
        stage.caller.speaking = True
        await stage.later(600)
        stage.caller.speaking = False
        stage.call.bridge.set_agent("away")
        await stage.later(200)
        stage.call.bridge.set_agent("speak")
        first.condition = replace(HEALTHY, unanswered_s=1.0)
        second = await stage.session(2)
        while not stage.events(K.FALLBACK):
            await stage.later(20)
        assert not any(samples(bytes(second.heard)))
        await hang_up(stage)


async def test_an_answer_that_comes_in_drips_connects_a_standby_ahead() -> None:
    async with Stage([WELL, WELL], fallback=SECOND) as stage:
        first = await converse(stage)
        first.begin("item_3", ANSWER, 100)
        began = stage.clock()
        while len(stage.backends) < 2:
            await stage.later(400)
            first.audio("item_3", ANSWER, 100)
        assert stage.clock() - began < 4.0
        assert stage.backends[1].context.agent == "second"
        first.finish("item_3", "that took a while")
        await stage.later(5000)
        assert not stage.events(K.FALLBACK), "it came through after all"
        await hang_up(stage)


async def test_a_standby_that_was_connected_ahead_gets_to_know_what_was_said_since() -> None:
    async with Stage([WELL, WELL], fallback=SECOND) as stage:
        first = await converse(stage)
        first.condition = replace(HEALTHY, ping_ms=900.0)
        second = await stage.session(2)
        await stage.later(200)
        assert [line.text for line in second.history] == ["hello", "billing please"]
        first.answer("item_3", ANSWER, 100, text="which bill")
        first.caller_turn("item_4")
        first.caller_said("item_4", "the last one")
        while not stage.events(K.FALLBACK):
            await stage.later(20)
        said = ["hello", "billing please", "which bill", "the last one"]
        assert [line.text for line in second.history] == said
        await second.until_told("resume")
        await hang_up(stage)


async def test_a_quick_reconnect_is_not_worth_a_word() -> None:
    async with Stage([WELL, replace(WELL, takes_s=0.3)]) as stage:
        first = await converse(stage)
        first.lose()
        await (await stage.session(2)).until_told("resume")
        await stage.later(1000)
        assert stage.caller.heard_ms(FILLER) == 0
        await hang_up(stage)


async def test_when_all_fail_the_caller_hears_an_apology() -> None:
    async with Stage([WELL, DOWN, DOWN], fallback=SECOND) as stage:
        first = await converse(stage)
        first.lose()
        record = await stage.over(within_s=15.0)
    assert record.reason in (Reason.BACKEND_LOST, Reason.BACKEND_UNREACHABLE)
    assert stage.caller.heard_ms(APOLOGY) == 1000


async def test_a_service_that_fails_for_all_calls_is_not_even_tried() -> None:
    async with Stage([WELL], fallback=SECOND) as stage:
        breaker = stage.settings.breakers.of(AGENT)
        for _ in range(6):
            breaker.failed(stage.clock())
        await stage.later(200)
        served = [backend for backend in stage.backends if backend.told]
        assert [backend.context.agent for backend in served] == ["second"]
        assert "not tried" in str(stage.events(K.BACKEND_FAULT)[0].fields["detail"])
        await hang_up(stage)


async def test_an_agent_that_hangs_up_is_no_lost_service() -> None:
    async with Stage([WELL, WELL], fallback=SECOND) as stage:
        backend = await converse(stage)
        backend.begin("item_3", ANSWER, 400)
        backend.emit(ai.HungUp())
        backend.lose(retryable=False)
        record = await stage.over(within_s=5.0)
    assert record.reason is Reason.AGENT_HANGUP
    assert not stage.events(K.BACKEND_FAULT)
    assert stage.caller.heard_ms(ANSWER) == 500, "its last words are heard"
    assert len(stage.backends) == 1
