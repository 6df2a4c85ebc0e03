"""Agents that end the conversation while the call is busy with something else, and what comes after them."""

import asyncio
import json
from contextlib import suppress

from gateway.backends import contract as ai
from gateway.config.tools import AgentTools
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallControl, Say, StepFailedError, TalkRequest
from gateway.legs.loopback import LoopbackLeg
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.stage import AGENT, TALK, Stage
from tests.scenarios.surroundings import APOLOGY, FILLER
from tests.scenarios.telephones import Exchange, Habit

ANNA = "sip:anna@pbx"
WITH_ANNA = TalkRequest(AGENT, allow=(ANNA,))
MENU = Say("menu", "en")
PROMPTS = {"menu": (1500, 1000)}
WELL = Opening()
SECOND = ("second",)
ANSWER = 2000


def hang_up(backend: ScriptedBackend) -> None:
    """As a bot that closes its connection in order."""
    backend.emit(ai.HungUp())
    backend.lose(retryable=False)


def transfer(backend: ScriptedBackend) -> None:
    backend.function_call("f1", "transfer_call", json.dumps({"target": ANNA}))
    backend.emit(ai.ResponseDone("r1", "completed"))


async def with_anna(call: CallControl) -> None:
    await call.talk(WITH_ANNA)


# ---- hanging up ---------------------------------------------------------------------------------


async def test_the_next_step_with_an_agent_that_hung_up_begins_anew() -> None:
    said: list[str] = []

    async def plan(call: CallControl) -> None:
        said.append(await call.talk(TALK))
        said.append(await call.talk(TALK))

    async with Stage(plan=plan) as stage, asyncio.timeout(60):
        hang_up(await stage.talking())
        second = await stage.session(2)
        await second.until_told("greet")
        hang_up(second)
        record = await stage.over(within_s=5.0)
    assert said == ["hung_up", "hung_up"]
    assert record.reason is Reason.AGENT_HANGUP


async def test_an_agent_that_hung_up_before_its_turn_is_connected_anew() -> None:
    async def plan(call: CallControl) -> None:
        await call.play((MENU,))
        await call.talk(TALK)

    async with Stage(plan=plan, prompts=PROMPTS) as stage, asyncio.timeout(60):
        first = await stage.session()
        await stage.later(500)
        hang_up(first)
        second = await stage.session(2)
        await second.until_told("greet")
        assert stage.caller.heard_ms(1500) >= 980, "after the menu"
        second.function_call("f1", "end_call")
        second.emit(ai.ResponseDone("r1", "completed"))
        record = await stage.over(within_s=5.0)
    assert record.reason is Reason.AGENT_HANGUP


class SlowLeg(LoopbackLeg):
    """A leg whose 200 takes half a second to leave."""

    def answer(self) -> None:
        """Connect; `Answered` follows."""
        asyncio.get_running_loop().call_later(0.5, super().answer)


async def test_an_agent_that_hangs_up_during_the_answer_is_excused() -> None:
    leg = SlowLeg(asyncio.get_running_loop().time)
    async with Stage(leg=leg) as stage, asyncio.timeout(60):
        backend = await stage.session()
        while stage.call.state is not CallState.ANSWERING:
            await stage.later(10)
        hang_up(backend)
        record = await stage.over(within_s=5.0)
    assert record.reason is Reason.BACKEND_LOST
    assert "hung up" in record.detail
    assert stage.caller.heard_ms(APOLOGY) == 1000
    assert not stage.events(K.BACKEND_FAULT), "its service is well"


async def test_an_agent_that_hangs_up_while_the_caller_is_on_hold_is_noticed_afterwards() -> None:
    async with Stage(tools=AgentTools(hold=True)) as stage, asyncio.timeout(60):
        backend = await stage.talking()
        backend.function_call("f1", "hold", '{"seconds": 3}')
        backend.emit(ai.ResponseDone("r1", "completed"))
        await stage.later(1000)
        hang_up(backend)
        record = await stage.over(within_s=5.0)
    assert record.reason is Reason.AGENT_HANGUP
    assert [kind for kind in stage.kinds() if kind in (K.HELD, K.RESUMED)] == [K.HELD, K.RESUMED]


async def test_an_agent_that_hung_up_is_not_there_after_a_failed_transfer() -> None:
    exchange = Exchange({ANNA: Habit(2.0, "busy")})
    async with Stage(plan=with_anna, first_talk=WITH_ANNA, dialler=exchange) as stage, asyncio.timeout(60):
        backend = await stage.talking()
        transfer(backend)
        await stage.later(1000)
        hang_up(backend)
        record = await stage.over(within_s=5.0)
    assert record.reason is Reason.AGENT_HANGUP


async def test_a_transfer_that_was_asked_for_is_carried_out_after_the_agent_hung_up() -> None:
    exchange = Exchange({ANNA: Habit(1.0, says=5000)})
    async with Stage(plan=with_anna, first_talk=WITH_ANNA, dialler=exchange) as stage, asyncio.timeout(60):
        backend = await stage.talking()
        transfer(backend)
        hang_up(backend)
        await stage.later(3000)
        assert stage.call.state is CallState.BRIDGED
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await stage.over()
        await exchange.quiet()
    assert record.reason is Reason.PARTY_HANGUP


async def test_a_standby_that_hangs_up_is_no_standby() -> None:
    async with Stage([WELL, WELL, WELL], fallback=SECOND) as stage, asyncio.timeout(60):
        first = await stage.talking()
        first.condition = ai.BackendHealth(0.0, 0.0, 900.0, 0.0)
        standby = await stage.session(2)
        await stage.later(500)
        hang_up(standby)
        await stage.later(8000)
        assert stage.call.state is CallState.TALKING
        assert not stage.events(K.FALLBACK), "slow as it is, there is nothing better"
        stage.leg.peer.hang_up()
        await stage.over()


# ---- lost while somebody else has the caller ----------------------------------------------------


async def test_a_session_lost_while_a_person_has_the_caller_changes_nothing_for_them() -> None:
    exchange = Exchange({ANNA: Habit(1.0, says=5000)})
    async with (
        Stage([WELL, WELL], plan=with_anna, first_talk=WITH_ANNA, dialler=exchange) as stage,
        asyncio.timeout(60),
    ):
        first = await stage.talking()
        first.caller_turn("i1")
        first.caller_said("i1", "Anna please")
        transfer(first)
        await stage.later(3000)
        assert stage.call.state is CallState.BRIDGED
        first.lose()
        second = await stage.session(2)
        await stage.later(2000)
        assert stage.call.state is CallState.BRIDGED, "the person still has the caller"
        assert second.told == [], "it has nobody to answer"
        assert stage.caller.heard[-1] == 5000
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await stage.over(within_s=5.0)
        await exchange.quiet()
    assert record.reason is Reason.PARTY_HANGUP


async def test_the_next_session_goes_on_when_the_person_hands_the_caller_back() -> None:
    exchange = Exchange({ANNA: Habit(1.0, says=5000, at_page=True)})
    plan = with_anna
    async with (
        Stage([WELL, WELL], plan=plan, first_talk=WITH_ANNA, dialler=exchange) as stage,
        asyncio.timeout(60),
    ):
        first = await stage.talking()
        first.caller_turn("i1")
        first.caller_said("i1", "Anna please")
        transfer(first)
        await stage.later(3000)
        first.lose()
        second = await stage.session(2)
        await stage.later(1000)
        exchange.lines[ANNA].ask("hand_back")
        await second.until_told("resume")
        assert second.names_told() == ["text", "resume"], "how the transfer ended, once"
        second.answer("i2", ANSWER, 400)
        await stage.later(1000)
        assert stage.caller.heard_ms(ANSWER) == 400
        assert stage.call.state is CallState.TALKING
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


async def test_a_session_lost_while_the_caller_is_on_hold_does_not_speak_to_nobody() -> None:
    async with Stage([WELL, WELL], tools=AgentTools(hold=True)) as stage, asyncio.timeout(60):
        first = await stage.talking()
        first.caller_turn("i1")
        first.caller_said("i1", "I will look for it")
        first.function_call("f1", "hold", '{"seconds": 5}')
        first.emit(ai.ResponseDone("r1", "completed"))
        await stage.later(1000)
        first.lose()
        second = await stage.session(2)
        await stage.later(1000)
        assert second.told == []
        await second.until_told("resume")
        assert second.names_told() == ["text", "resume"], "how the hold ended, once"
        assert stage.call.state is CallState.TALKING
        stage.leg.peer.hang_up()
        await stage.over()


async def test_a_session_that_is_still_gone_when_the_hold_is_over_is_recovered_then() -> None:
    async with Stage([WELL, Opening(takes_s=4.0)], tools=AgentTools(hold=True)) as stage, asyncio.timeout(60):
        first = await stage.talking()
        first.function_call("f1", "hold", '{"seconds": 2}')
        first.emit(ai.ResponseDone("r1", "completed"))
        await stage.later(1000)
        first.lose()
        await stage.later(2000)
        states = [stage.call.state]
        await stage.later(3000)
        states.append(stage.call.state)
        assert states == [CallState.RECOVERING, CallState.TALKING]
        stage.leg.peer.hang_up()
        await stage.over()


# ---- one agent after the other ------------------------------------------------------------------


async def test_the_next_agent_begins_without_the_troubles_of_the_one_before() -> None:
    async def plan(call: CallControl) -> None:
        with suppress(StepFailedError):
            await call.talk(TalkRequest(AGENT, max_duration_s=1.0))
        await call.talk(TalkRequest("second"))

    openings = [WELL, Opening(takes_s=30.0), Opening(takes_s=30.0)]
    async with Stage(openings, plan=plan, fallback=SECOND) as stage, asyncio.timeout(60):
        first = await stage.talking()
        await stage.later(700)
        first.lose()
        greeted = await stage.session(4)
        await greeted.until_told("greet")
        assert greeted.context.agent == "second"
        greeted.answer("i1", ANSWER, 1500)
        await stage.later(3000)
        assert stage.caller.heard_ms(FILLER) == 0, "no word over its greeting"
        greeted.lose()
        await (await stage.session(5)).until_told("greet")
        stage.leg.peer.hang_up()
        await stage.over()
