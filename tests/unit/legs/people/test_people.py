"""Ringing people: who is rung, who wins, and every way in which nobody answers."""

import asyncio
from dataclasses import replace

import pytest

from gateway.core.ids import CallId
from gateway.errors import LocalError
from gateway.legs.people import messages as page
from gateway.legs.people.people import MAX_TABS, CannotAnswerError, TooManyTabsError
from gateway.legs.people.ring import Ring, RingFailedError
from gateway.wire import card as wire
from tests.unit.legs.people.stage import INFO, Page, Stage


async def failed(ring: Ring) -> str:
    """Why a ring failed."""
    with pytest.raises(RingFailedError) as caught:
        await ring.answered()
    return caught.value.reason


def ended(it: Page) -> list[str]:
    """Why rings ended, as a page was told."""
    return [message.reason for message in it.told if isinstance(message, page.RingEnded)]


def rings(it: Page) -> list[str]:
    """Rings that a page was told of."""
    return [message.ring_id for message in it.told if isinstance(message, page.Ring)]


# ---- answering ------------------------------------------------------------------------------------


async def test_who_answers_becomes_a_leg_and_a_line() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    (told,) = it.told
    assert told == page.Ring(
        ring_id=ring.id,
        from_party="+4930123",
        to="+4930555",
        agent="reception",
        transcript=(page.TranscriptLine("caller", "a person please"),),
    )
    leg = it.answer(ring)
    assert stage.claimed == [True]
    assert await ring.answered() is leg
    assert ring.line is not None
    assert ring.line.leg is leg
    assert stage.people.line("op1", ring.id) is ring.line
    assert stage.people.presence("op1") == "busy"
    assert stage.clock.waiting == 0
    assert stage.sent == []


async def test_all_pages_ring_and_the_first_answer_wins() -> None:
    stage = Stage()
    first, second, other = stage.page(), stage.page(), stage.page("op2")
    ring = stage.people.ring("op1", INFO)
    late = stage.page()
    assert rings(first) == rings(second) == rings(late) == [ring.id]
    with stage.people.answering("op1", ring.id, second.tab.id) as address:
        with pytest.raises(CannotAnswerError, match="elsewhere"):
            first.answer(ring)
        stage.leg(address)
    assert ended(first) == ended(late) == ["answered_elsewhere"]
    assert ended(second) == []
    assert other.told == []
    with pytest.raises(CannotAnswerError, match="any more"):
        first.answer(ring)


async def test_an_answer_that_comes_to_nothing_lets_it_ring_on() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    with stage.people.answering("op1", ring.id, it.tab.id):
        pass
    assert not ring.over
    leg = it.answer(ring)
    assert await ring.answered() is leg


async def test_the_time_limit_waits_for_an_answer_under_way() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    with stage.people.answering("op1", ring.id, it.tab.id) as address:
        stage.clock.pass_s(21)
        leg = stage.leg(address)
    assert await ring.answered() is leg


async def test_the_time_limit_strikes_when_that_answer_fails() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    with stage.people.answering("op1", ring.id, it.tab.id):
        stage.clock.pass_s(21)
        assert not ring.over
    assert await failed(ring) == "timeout"
    assert ended(it) == ["timeout"]


async def test_a_page_that_vanishes_while_it_answers() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    with stage.people.answering("op1", ring.id, it.tab.id):
        it.close()
        assert not ring.over
    assert await failed(ring) == "gone"


async def test_a_leg_whose_ring_is_over_is_refused() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    with stage.people.answering("op1", ring.id, it.tab.id) as address:
        ring.cancel()
        leg = stage.leg(address)
    assert stage.claimed == [True]
    assert stage.sent == [wire.Reject(leg.address[1], 487, "Request Terminated", ())]
    assert await failed(ring) == "cancelled"
    assert ended(it) == ["cancelled"]


async def test_an_answers_address_serves_once_and_cannot_be_made_up() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    with stage.people.answering("op1", ring.id, it.tab.id) as address:
        stage.leg(f"ring:{ring.id}")
        assert not ring.over
        leg = stage.leg(address)
        stage.leg(address)
    stage.leg(address)
    assert await ring.answered() is leg
    assert stage.claimed == [True, True, True, True]
    refused = [message.leg for message in stage.sent if isinstance(message, wire.Reject)]
    assert refused == [1, 3, 4]


@pytest.mark.parametrize(("address", "kind"), [("bot", "webrtc"), ("+4930", "webrtc"), ("ring:x", "sip")])
async def test_other_legs_are_left_alone(address: str, kind: str) -> None:
    stage = Stage()
    stage.leg(address, kind)
    assert stage.claimed == [False]
    assert stage.sent == []


async def test_a_page_of_somebody_else_cannot_answer() -> None:
    stage = Stage()
    stage.page("op1")
    other = stage.page("op2")
    ring = stage.people.ring("op1", INFO)
    with pytest.raises(CannotAnswerError, match="any more"):
        other.answer(ring)
    with (
        pytest.raises(CannotAnswerError, match="not connected"),
        stage.people.answering("op1", ring.id, other.tab.id),
    ):
        pass


# ---- not answering --------------------------------------------------------------------------------


async def test_declining_ends_it_on_all_pages() -> None:
    stage = Stage()
    first, second = stage.page(), stage.page()
    ring = stage.people.ring("op1", INFO)
    first.say('{"type": "decline", "ring_id": "rg_another"}')
    assert not ring.over
    first.say(f'{{"type": "decline", "ring_id": "{ring.id}"}}')
    assert await failed(ring) == "declined"
    assert ended(first) == ended(second) == ["declined"]
    assert stage.people.presence("op1") == "ready"
    assert stage.clock.waiting == 0


async def test_nobody_answers_in_time() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    stage.clock.pass_s(19.9)
    assert not ring.over
    stage.clock.pass_s(0.1)
    assert await failed(ring) == "timeout"
    assert ended(it) == ["timeout"]


async def test_without_a_time_limit_it_rings_until_who_rings_gives_up() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", replace(INFO, timeout_s=None))
    assert stage.clock.waiting == 0
    ring.cancel("answered_elsewhere")
    assert await failed(ring) == "cancelled"
    assert ended(it) == ["answered_elsewhere"]


async def test_it_fails_once_all_pages_are_gone() -> None:
    stage = Stage()
    first, second = stage.page(), stage.page()
    ring = stage.people.ring("op1", INFO)
    first.close()
    assert not ring.over
    second.close()
    assert await failed(ring) == "gone"
    assert stage.people.presence("op1") == "offline"


async def test_going_away_while_it_rings() -> None:
    stage = Stage()
    first, second = stage.page(), stage.page()
    ring = stage.people.ring("op1", INFO)
    first.say('{"type": "away"}')
    assert ended(first) == ["away"]
    assert not ring.over
    second.say('{"type": "away"}')
    assert await failed(ring) == "away"
    assert ended(second) == ["away"]


@pytest.mark.parametrize(
    ("pages", "reason", "presence"), [(0, "not_signed_in", "offline"), (1, "away", "away")]
)
async def test_who_is_not_there_is_not_rung(pages: int, reason: str, presence: str) -> None:
    stage = Stage()
    found = [stage.page(ready=False) for _ in range(pages)]
    assert stage.people.presence("op1") == presence
    assert await failed(stage.people.ring("op1", INFO)) == reason
    assert all(it.told == [] for it in found)
    assert stage.clock.waiting == 0


async def test_a_person_takes_one_call_at_a_time() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    assert await failed(stage.people.ring("op1", INFO)) == "busy"
    it.answer(ring)
    assert await failed(stage.people.ring("op1", INFO)) == "busy"
    assert ring.line is not None
    ring.line.left("caller_hangup")
    again = stage.people.ring("op1", INFO)
    assert rings(it) == [ring.id, again.id]


async def test_a_stranger_is_an_error() -> None:
    stage = Stage()
    with pytest.raises(LocalError, match="users"):
        stage.people.ring("op3", INFO)
    with pytest.raises(LocalError):
        stage.people.presence("op3")


async def test_pages_of_a_person_are_bounded() -> None:
    stage = Stage()
    pages = [stage.page() for _ in range(MAX_TABS)]
    with pytest.raises(TooManyTabsError):
        stage.page()
    stage.page("op2")
    pages[0].close()
    pages[0].close()
    stage.page()


# ---- who rings goes away --------------------------------------------------------------------------


async def test_cancelling_who_waits_ends_the_ring() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    waiting = asyncio.create_task(ring.answered())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert ended(it) == ["cancelled"]
    assert stage.people.presence("op1") == "ready"


async def test_a_leg_that_nobody_takes_any_more_is_ended() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    waiting = asyncio.create_task(ring.answered())
    await asyncio.sleep(0)
    leg = it.answer(ring)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert stage.sent == [wire.Hangup(leg.address[1], 487, "Request Terminated", False)]
    assert it.told[-1] == page.Left(ring_id=ring.id, reason="cancelled")
    assert stage.people.presence("op1") == "ready"


async def test_cancelling_an_answered_ring_changes_nothing() -> None:
    stage = Stage()
    it = stage.page()
    ring = stage.people.ring("op1", INFO)
    leg = it.answer(ring)
    ring.cancel()
    assert await ring.answered() is leg
    assert stage.people.presence("op1") == "busy"


# ---- a new core -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page_first", [True, False])
async def test_a_page_and_its_leg_meet_again_at_the_next_core_whoever_is_there_first(
    page_first: bool,
) -> None:
    before = Stage()
    first = before.page()
    ring = before.people.ring("op1", INFO)
    leg = first.answer(ring)
    after = Stage()
    early = after.page(resume=ring.id) if page_first else None
    other = after.page()
    line = after.people.resume("op1", ring.id, leg)
    assert line is not None
    asked: list[str] = []
    line.held(True)
    line.attach(asked.append)
    line.joined(CallId("call_1"))
    it = early or after.page(resume=ring.id)
    joined = [told for told in it.told if isinstance(told, page.Joined)]
    assert [(told.ring_id, told.held) for told in joined] == [(ring.id, True)]
    it.say('{"type": "resume"}')
    other.say('{"type": "hang_up"}')
    assert asked == ["resume"]
    assert after.people.presence("op1") == "busy"
