"""What the next core knows of a plan: whom the agent may connect the caller with, and that it has none."""

import asyncio
import json

from gateway.backends import contract as ai
from gateway.backends.contract import BackendError
from gateway.calls import checkpoint
from gateway.core.call_state import CallState
from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallControl, DialRequest, TalkRequest
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.stage import AGENT, Stage, successor
from tests.scenarios.surroundings import APOLOGY
from tests.scenarios.telephones import Exchange, Habit

ANNA, BERT = "sip:anna@pbx", "sip:bert@pbx"
WITH_ANNA = TalkRequest(AGENT, allow=(ANNA,))
DOWN = Opening(error=BackendError("refused", "no such key", retryable=False))


async def with_anna(call: CallControl) -> None:
    await call.talk(WITH_ANNA)


def transfer(backend: ScriptedBackend, target: str) -> None:
    backend.function_call("f1", "transfer_call", json.dumps({"target": target}))
    backend.emit(ai.ResponseDone("r1", "completed"))


async def freeze(stage: Stage, exchange: Exchange) -> None:
    """The core dies while people are in the call."""
    for phone in exchange.phones.values():
        phone.leg.abandon()
    await exchange.freeze()
    await stage.kill()


async def test_the_agent_may_connect_the_caller_with_the_same_people_as_before() -> None:
    async with Stage(plan=with_anna, first_talk=WITH_ANNA) as first, asyncio.timeout(60):
        await first.talking()
        await first.kill()
    exchange = Exchange({ANNA: Habit(1.0, says=5000), BERT: Habit(1.0)})
    async with successor(first, plan=with_anna, dialler=exchange) as second, asyncio.timeout(60):
        backend = await second.session()
        await backend.until_told("greet")
        transfer(backend, BERT)
        await backend.until_told("tool_result")
        assert exchange.rung == [], "not with others"
        transfer(backend, ANNA)
        await second.later(3000)
        assert second.call.state is CallState.BRIDGED
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await second.over()
        await exchange.quiet()
    assert record.reason is Reason.PARTY_HANGUP


async def test_people_talk_on_when_the_next_core_finds_no_agent() -> None:
    exchange = Exchange({ANNA: Habit(0.5, says=5000)})
    async with Stage(dialler=exchange) as first, asyncio.timeout(60):
        await first.talking()
        await first.call.desk.bridge(ANNA, "speak", 10.0)
        await first.later(500)
        await freeze(first, exchange)
    anna = exchange.phones[ANNA]
    kept = checkpoint.party_of(anna.leg.kept)
    assert kept is not None
    async with successor(first, openings=[DOWN], dialler=exchange) as second, asyncio.timeout(60):
        exchange.go_on(ANNA)
        second.call.take_back(anna.leg, kept)
        await second.later(10_000)
        assert second.call.state is CallState.BRIDGED
        assert second.caller.heard_ms(APOLOGY) == 0
        assert second.caller.heard[-1] == 5000
        anna.leg.peer.hang_up()
        record = await second.over()
    assert record.reason is Reason.BACKEND_REFUSED, "who stays alone is told"
    assert second.caller.heard_ms(APOLOGY) == 1000


async def test_a_caller_whose_person_has_gone_begins_the_plan_again_where_there_was_no_agent() -> None:
    async def plan(call: CallControl) -> None:
        await call.dial(DialRequest((ANNA,), 20.0))

    exchange = Exchange({ANNA: Habit(says=5000)})
    async with Stage(plan=plan, first_talk=None, dialler=exchange) as first, asyncio.timeout(60):
        first.journal.figures.agent = ""
        await first.later(2000)
        assert first.call.state is CallState.BRIDGED
        await freeze(first, exchange)
    async with successor(first, plan=plan, dialler=exchange) as second, asyncio.timeout(60):
        second.journal.figures.agent = ""
        await second.later(8000)
        assert exchange.rung == [ANNA, ANNA]
        assert second.call.state is CallState.BRIDGED
        assert second.backends == [], "nobody asked for an agent"
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await second.over()
        await exchange.quiet()
    assert (record.agent, record.reason) == ("", Reason.PARTY_HANGUP)


async def test_the_agent_goes_on_when_a_person_hands_the_caller_back_to_the_next_core() -> None:
    exchange = Exchange({ANNA: Habit(1.0, says=5000, at_page=True)})
    async with Stage(plan=with_anna, first_talk=WITH_ANNA, dialler=exchange) as first, asyncio.timeout(60):
        backend = await first.talking()
        backend.answer("i1", 2000, 200, text="one moment, I connect you")
        transfer(backend, ANNA)
        await first.later(3000)
        assert first.call.state is CallState.BRIDGED
        await freeze(first, exchange)
    anna = exchange.phones[ANNA]
    kept = checkpoint.party_of(anna.leg.kept)
    assert kept is not None
    async with successor(first, plan=with_anna, dialler=exchange) as second, asyncio.timeout(60):
        exchange.go_on(ANNA)
        second.call.take_back(anna.leg, kept)
        await second.later(1000)
        assert second.caller.heard[-1] == 5000
        exchange.lines[ANNA].ask("hand_back")
        backend = await second.session()
        await backend.until_told("resume")
        assert backend.names_told() == ["text", "resume"], "it is told why, and speaks"
        backend.answer("i1", 2000, 500)
        second.caller.speaking = True
        await second.later(1000)
        assert second.caller.heard_ms(2000) >= 400
        assert backend.heard_ms > 900
        assert second.call.state is CallState.TALKING
        second.leg.peer.hang_up()
        await second.over()
        await exchange.quiet()
