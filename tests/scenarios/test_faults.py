"""Services, cards and callers that fail in the middle of a call."""

import asyncio

import pytest

from gateway.backends import contract as ai
from gateway.backends.contract import BackendError
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason, Result
from gateway.legs.loopback import LoopbackLeg
from gateway.wire.card import RtpStalled
from tests.scenarios.scripted_backend import Opening
from tests.scenarios.stage import Stage
from tests.scenarios.surroundings import APOLOGY

ANSWER = 2000

WELL = Opening()
REFUSED = Opening(error=BackendError("refused", "HTTP 401", retryable=False))


async def converse(stage: Stage) -> None:
    """A first exchange that ends with the caller's words."""
    backend = await stage.talking()
    backend.answer("item_1", ANSWER, 100, text="hello")
    backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
    backend.caller_said("item_2", "billing please")
    await stage.later(200)


async def test_a_lost_service_is_reconnected_with_the_transcript_and_asked_to_answer() -> None:
    async with Stage() as stage:
        await converse(stage)
        stage.backends[0].lose()
        second = await stage.session(2)
        await second.until_told("resume")
        assert [(words.role, words.text) for words in second.history] == [
            ("agent", "hello"),
            ("caller", "billing please"),
        ]
        heard = stage.backends[0].heard_ms
        await stage.later(1000)
        assert stage.backends[0].closed
        assert stage.backends[0].heard_ms == heard
        assert second.heard_ms > 900
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.reason is Reason.CALLER_HANGUP
    assert record.reconnects == 1
    kinds = [event.kind for event in record.timeline]
    at = kinds.index(K.BACKEND_FAULT)
    assert kinds[at : at + 3] == [K.BACKEND_FAULT, K.BACKEND_CONNECTING, K.BACKEND_READY]


async def test_after_a_loss_the_agent_waits_if_it_spoke_last() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", ANSWER, 100, text="hello")
        await stage.later(200)
        backend.lose()
        second = await stage.session(2)
        await stage.later(1000)
        assert second.told == []
        stage.leg.peer.hang_up()
        await stage.over()


async def test_after_a_loss_before_any_words_the_agent_greets() -> None:
    async with Stage() as stage:
        (await stage.talking()).lose()
        second = await stage.session(2)
        await second.until_told("greet")
        stage.leg.peer.hang_up()
        await stage.over()


async def test_after_a_loss_the_caller_whose_words_were_not_written_down_is_answered_too() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.answer("item_1", ANSWER, 100, text="hello")
        backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
        backend.lose()
        second = await stage.session(2)
        await second.until_told("resume")
        stage.leg.peer.hang_up()
        await stage.over()


async def test_what_the_agent_had_said_before_the_loss_is_heard_to_its_end() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.begin("item_1", ANSWER, 1000)
        await stage.later(100)
        backend.lose()
        await stage.later(2000)
        assert stage.caller.heard_ms(ANSWER) == 1000
        assert stage.events(K.AGENT_SILENT)
        assert not stage.call.bridge.agent.audible
        stage.leg.peer.hang_up()
        await stage.over()


async def test_lost_again_at_once_the_call_ends_with_an_apology() -> None:
    async with Stage() as stage:
        await converse(stage)
        stage.backends[0].lose()
        second = await stage.session(2)
        await second.until_told("resume")
        await stage.later(1000)
        second.lose()
        record = await stage.over(within_s=3.0)
    assert record.reason is Reason.BACKEND_LOST
    assert record.result is Result.FAILED
    assert record.reconnects == 1
    assert len(stage.backends) == 2
    assert stage.caller.heard_ms(APOLOGY) == 1000


async def test_lost_again_after_a_steady_time_it_is_reconnected_again() -> None:
    async with Stage() as stage:
        await converse(stage)
        stage.backends[0].lose()
        second = await stage.session(2)
        await second.until_told("resume")
        await stage.later(11_000)
        second.lose()
        await stage.session(3)
        await stage.later(500)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.reconnects == 2


async def test_a_reconnect_that_fails_ends_with_an_apology() -> None:
    async with Stage([WELL, REFUSED]) as stage:
        await converse(stage)
        stage.backends[0].lose()
        record = await stage.over(within_s=3.0)
    assert record.reason is Reason.BACKEND_REFUSED
    assert stage.caller.heard_ms(APOLOGY) == 1000


async def test_a_loss_that_cannot_be_mended_is_not_retried() -> None:
    async with Stage() as stage:
        await converse(stage)
        stage.backends[0].lose("refused", retryable=False)
        record = await stage.over(within_s=3.0)
    assert len(stage.backends) == 1
    assert record.reason is Reason.BACKEND_REFUSED
    assert record.reconnects == 0


async def test_a_caller_who_hangs_up_while_the_service_is_reconnected() -> None:
    async with Stage([WELL, Opening(takes_s=5.0)]) as stage:
        await converse(stage)
        stage.backends[0].lose()
        await stage.session(2)
        await stage.later(1000)
        stage.leg.peer.hang_up()
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.CALLER_HANGUP


async def test_a_failed_answer_is_asked_for_once_more() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(ai.ResponseDone("r1", "failed", "server_error"))
        await backend.until_told("resume")
        backend.answer("item_1", ANSWER, 100)
        backend.emit(ai.ResponseDone("r2", "failed", "server_error"))
        await stage.later(100)
        assert backend.names_told() == ["greet", "resume", "resume"], "a good answer between them"
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.reason is Reason.CALLER_HANGUP


async def test_two_failed_answers_in_a_row_end_the_call_with_an_apology() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(ai.ResponseDone("r1", "failed", "rate_limit"))
        backend.emit(ai.ResponseDone("r2", "failed", "rate_limit"))
        record = await stage.over(within_s=3.0)
    assert record.reason is Reason.BACKEND_REFUSED
    assert "rate_limit" in record.detail
    assert stage.caller.heard_ms(APOLOGY) == 1000


async def test_silent_rtp_ends_the_call() -> None:
    async with Stage() as stage:
        await stage.talking()
        await stage.later(1000)
        stage.caller.sending = False
        record = await stage.over()
    assert record.reason is Reason.RTP_TIMEOUT
    assert record.duration_s == pytest.approx(21.05, abs=0.1)
    assert K.RTP_STALLED in [event.kind for event in record.timeline]


async def test_a_caller_on_hold_may_be_silent() -> None:
    async with Stage() as stage:
        await stage.talking()
        stage.leg.peer.hold(True)
        stage.caller.sending = False
        await stage.later(60_000)
        assert stage.phone() == "held"
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.reason is Reason.CALLER_HANGUP


async def test_a_dead_card_ends_its_call() -> None:
    async with Stage() as stage:
        await stage.talking()
        stage.leg.peer.vanish()
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.CARD_LOST
    assert record.result is Result.FAILED


async def test_a_call_that_is_flooded_with_events_ends() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(*(ai.ResponseDone(f"r{n}", "completed") for n in range(300)))
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.INTERNAL_ERROR


async def test_a_flood_does_not_hide_that_the_leg_is_gone() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        stage.leg.peer.hang_up()
        stage.loop.call_soon(
            lambda: backend.emit(*(ai.ResponseDone(f"r{n}", "completed") for n in range(300)))
        )
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.INTERNAL_ERROR


class StubbornLeg(LoopbackLeg):
    """A leg whose BYE is never answered."""

    def close(self, status: int, reason: str, *, drain: bool = False) -> None:
        """Nothing happens."""


async def test_a_leg_that_does_not_end_does_not_keep_the_record_back_for_ever() -> None:
    leg = StubbornLeg(asyncio.get_running_loop().time)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        stage.call.end(Reason.ADMIN_HANGUP)
        record = await stage.over(within_s=13.0)
        leg.peer.hang_up()
    assert record.reason is Reason.ADMIN_HANGUP
    assert record.duration_s == pytest.approx(12.05, abs=0.1)


async def test_asked_to_end_twice_a_call_does_not_wait_for_its_leg() -> None:
    leg = StubbornLeg(asyncio.get_running_loop().time)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        stage.call.end(Reason.DRAINED)
        await stage.later(1000)
        stage.call.end(Reason.DRAINED)
        record = await stage.over(within_s=0.1)
        leg.peer.hang_up()
    assert record.reason is Reason.DRAINED


async def test_a_stall_while_hanging_up_does_not_end_the_wait_for_the_leg() -> None:
    leg = StubbornLeg(asyncio.get_running_loop().time)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        stage.call.end(Reason.ADMIN_HANGUP)
        await stage.later(1000)
        leg.emit(RtpStalled(leg.address[1], 20.0))
        await stage.later(1000)
        assert stage.call.state is CallState.CLOSING
        leg.peer.hang_up()
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.ADMIN_HANGUP


async def test_a_record_is_complete_with_a_flood_of_timeline_entries() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        for n in range(6000):
            backend.emit(ai.ServiceNotice("noise", str(n)))
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert len(record.timeline) == 5001
    assert record.timeline[-1].kind is K.ENDED


async def test_oversized_texts_of_the_service_are_cut() -> None:
    async with Stage() as stage:
        backend = await stage.talking()
        backend.emit(ai.FunctionCall("c", "x", "a" * 5_000_000))
        backend.caller_said("item_1", "b" * 5_000_000)
        await stage.later(100)
        assert len(stage.leg.kept) < 100_000
        stage.leg.peer.hang_up()
        await stage.over()
