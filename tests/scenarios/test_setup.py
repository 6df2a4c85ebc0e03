"""From the INVITE to the first word, in good and in bad order."""

import asyncio

import pytest

from gateway.backends import contract as ai
from gateway.backends.contract import BackendError, FaultKind
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason, Result
from gateway.legs.loopback import LoopbackLeg
from tests.scenarios.scripted_backend import Opening
from tests.scenarios.stage import Stage
from tests.scenarios.surroundings import APOLOGY


def fault(kind: FaultKind, *, retryable: bool = False) -> BackendError:
    return BackendError(kind, "ws://service/v1/realtime: no", retryable=retryable)


async def test_the_phone_rings_until_the_service_is_ready() -> None:
    async with Stage([Opening(takes_s=2.0)]) as stage:
        await stage.later(1900)
        assert stage.phone() == "ringing"
        backend = await stage.talking()
        assert stage.phone() == "connected"
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.setup_ms == pytest.approx(2000, abs=1)
    assert backend.names_told() == ["greet"]


async def test_a_service_slower_than_the_budget_finds_the_call_answered_and_greets_then() -> None:
    async with Stage([Opening(takes_s=5.0)], answer_budget_ms=3000) as stage:
        await stage.later(3100)
        assert stage.phone() == "connected"
        assert stage.backends[0].names_told() == []
        await stage.talking()
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert record.setup_ms == pytest.approx(3000, abs=1)
    kinds = [event.kind for event in record.timeline]
    assert kinds.index(K.ANSWERED) < kinds.index(K.BACKEND_READY)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unreachable", Reason.BACKEND_UNREACHABLE),
        ("refused", Reason.BACKEND_REFUSED),
        ("lost", Reason.BACKEND_LOST),
        ("protocol", Reason.BACKEND_PROTOCOL),
        ("expired", Reason.BACKEND_LOST),
    ],
)
async def test_no_service_an_apology_is_heard_and_the_call_ends(kind: FaultKind, reason: Reason) -> None:
    async with Stage([Opening(error=fault(kind))]) as stage:
        record = await stage.over(within_s=3.0)
    assert record.reason is reason
    assert record.result is Result.FAILED
    assert record.detail == "ws://service/v1/realtime: no"
    assert stage.caller.heard_ms(APOLOGY) == 1000
    assert [event.kind for event in record.timeline] == [
        K.RINGING,
        K.BACKEND_CONNECTING,
        K.BACKEND_FAULT,
        K.ANSWERED,
        K.MEDIA,
        K.PROMPT,
        K.HANGUP,
        K.ENDED,
    ]


async def test_a_service_that_fails_after_the_budget_is_apologised_for() -> None:
    async with Stage([Opening(takes_s=8.0, error=fault("unreachable", retryable=True))]) as stage:
        record = await stage.over()
    assert record.reason is Reason.BACKEND_UNREACHABLE
    assert record.duration_s == pytest.approx(9.2, abs=0.1)
    assert stage.caller.heard_ms(APOLOGY) == 1000


async def test_a_bug_in_opening_the_service_ends_the_call_at_once() -> None:
    async with Stage([Opening(error=ZeroDivisionError())]) as stage:
        record = await stage.over(within_s=1.0)
    assert record.reason is Reason.INTERNAL_ERROR
    assert record.sip_status == 500


async def test_a_caller_who_cancels_while_it_rings_leaves_nothing_behind() -> None:
    async with Stage([Opening(takes_s=2.0)]) as stage:
        await stage.later(500)
        stage.leg.peer.hang_up()
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.CANCELLED
    assert record.result is Result.ABANDONED
    assert record.sip_status == 487
    assert record.answered_at is None
    assert record.billable_s == 0
    assert [event.kind for event in record.timeline] == [
        K.RINGING,
        K.BACKEND_CONNECTING,
        K.HANGUP,
        K.ENDED,
    ]


async def test_a_caller_who_hangs_up_before_the_late_greeting() -> None:
    async with Stage([Opening(takes_s=5.0)], answer_budget_ms=1000) as stage:
        await stage.later(2000)
        stage.leg.peer.hang_up()
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.CALLER_HANGUP
    assert K.BACKEND_READY not in stage.kinds()


async def test_a_caller_who_hangs_up_in_the_apology() -> None:
    async with Stage([Opening(error=fault("refused"))]) as stage:
        await stage.later(500)
        stage.leg.peer.hang_up()
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.CALLER_HANGUP
    assert 0 < stage.caller.heard_ms(APOLOGY) < 1000


async def test_no_common_codec_is_a_refusal_of_ours() -> None:
    async with Stage([Opening(takes_s=2.0)]) as stage:
        await stage.later(100)
        stage.leg.end(488, "Not Acceptable Here", "far_end")
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.NOT_ACCEPTABLE
    assert record.result is Result.REJECTED
    assert record.sip_status == 488


async def test_a_drained_call_that_rings_is_refused() -> None:
    async with Stage([Opening(takes_s=2.0)]) as stage:
        await stage.later(100)
        stage.call.end(Reason.DRAINED)
        record = await stage.over(within_s=0.1)
    assert record.reason is Reason.DRAINED
    assert record.sip_status == 503


class ConnectingLeg(LoopbackLeg):
    """A browser's: it takes half a second from the answer until anything can be heard."""

    def answer(self) -> None:
        asyncio.get_running_loop().call_later(0.5, self.connect)


async def test_the_agent_greets_while_a_browser_connects() -> None:
    async with Stage(leg=ConnectingLeg(asyncio.get_running_loop().time, kind="webrtc")) as stage:
        backend = await stage.talking()
        assert stage.phone() == "ringing"
        backend.answer("i1", 5000, 200, text="Hello.")
        await stage.later(450)
        assert stage.caller.heard_ms(5000) == 0
        await stage.later(300)
        assert stage.caller.heard_ms(5000) == 200
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert backend.names_told() == ["greet"]
    assert record.first_utterance_ms == pytest.approx(0, abs=21)


async def test_what_the_agent_does_before_anybody_hears_it_counts() -> None:
    async with Stage(leg=ConnectingLeg(asyncio.get_running_loop().time, kind="webrtc")) as stage:
        backend = await stage.talking()
        backend.answer("i1", 5000, 200)
        backend.function_call("f1", "end_call")
        record = await stage.over()
    assert stage.caller.heard_ms(5000) == 200, "the goodbye was heard"
    assert record.reason is Reason.AGENT_HANGUP


async def test_an_agent_that_hangs_up_before_anybody_hears_it_is_heard_all_the_same() -> None:
    async with Stage(leg=ConnectingLeg(asyncio.get_running_loop().time, kind="webrtc")) as stage:
        backend = await stage.talking()
        backend.answer("i1", 5000, 200)
        backend.emit(ai.HungUp())
        backend.lose(retryable=False)
        record = await stage.over()
    assert stage.caller.heard_ms(5000) == 200
    assert record.reason is Reason.AGENT_HANGUP


async def test_a_session_lost_before_anybody_heard_it_is_followed_by_another_greeting() -> None:
    async with Stage(leg=ConnectingLeg(asyncio.get_running_loop().time, kind="webrtc")) as stage:
        first = await stage.talking()
        first.lose()
        second = await stage.session(2)
        await second.until_told("greet")
        stage.leg.peer.hang_up()
        await stage.over()
