"""The core is killed, and the next one goes on with the call."""

from gateway.backends import contract as ai
from gateway.calls import checkpoint
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallControl, DialRequest, Say
from tests.scenarios.stage import Stage, successor
from tests.scenarios.telephones import Exchange, Habit

GREETING, ANSWER = 1000, 2000


async def test_a_call_is_taken_over_with_its_words_and_its_record() -> None:
    async with Stage() as first:
        backend = await first.talking()
        backend.answer("item_1", GREETING, 100, text="hello")
        await first.later(300)
        backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
        backend.caller_said("item_2", "billing please")
        await first.later(100)
        began_at = first.journal.facts.started_at
        await first.kill()
    async with successor(first) as second:
        backend = await second.session()
        await backend.until_told("resume")
        assert [words.text for words in backend.history] == ["hello", "billing please"]
        backend.answer("item_3", ANSWER, 200)
        await second.later(500)
        assert second.caller.heard_ms(ANSWER) == 200
        second.leg.peer.hang_up()
        record = await second.over()
    assert record.id == "call_1"
    assert record.reason is Reason.CALLER_HANGUP
    assert record.recovered == 1
    assert record.started_at == began_at
    assert record.answered_at is not None
    assert record.setup_ms is not None
    assert record.first_utterance_ms is not None
    kinds = [event.kind for event in record.timeline]
    assert kinds.index(K.ANSWERED) < kinds.index(K.RECOVERED) < kinds.index(K.BACKEND_READY, 4)
    assert kinds.count(K.SAID) == 2


async def test_words_of_the_dead_core_are_heard_on_and_can_be_interrupted() -> None:
    async with Stage() as first:
        backend = await first.talking()
        backend.answer("item_1", GREETING, 10_000, text="a very long story")
        await first.later(500)
        await first.kill()
    async with successor(first) as second:
        backend = await second.session()
        await second.later(500)
        assert second.caller.heard_ms(GREETING) > 400
        backend.emit(ai.SpeechStarted("item_2"))
        await second.later(800)
        assert second.caller.heard_ms(GREETING) < 600
        assert len(second.events(K.BARGE_IN)) == 1
        second.leg.peer.hang_up()
        await second.over()


async def test_a_call_that_was_taken_over_twice_counts_both() -> None:
    async with Stage() as first:
        await first.talking()
        await first.kill()
    async with successor(first) as second:
        backend = await second.session()
        await backend.until_told("greet")
        await second.later(100)
        await second.kill()
    async with successor(second) as third:
        await (await third.session()).until_told("greet")
        third.leg.peer.hang_up()
        record = await third.over()
    assert record.recovered == 2


async def test_a_service_that_refuses_the_successor_is_apologised_for() -> None:
    async with Stage() as first:
        await first.talking()
        await first.kill()
    async with successor(first) as second:
        (await second.session()).lose()
        await second.later(100)
        second.leg.peer.hang_up()
        record = await second.over()
    assert record.reason is Reason.CALLER_HANGUP


async def test_caller_and_person_are_joined_again_by_the_next_core() -> None:
    exchange = Exchange({"sip:anna@pbx": Habit(says=5000)})

    async def plan(call: CallControl) -> None:
        await call.dial(DialRequest(("sip:anna@pbx",), 20.0))

    async with Stage(plan=plan, first_talk=None, dialler=exchange) as first:
        await first.later(2000)
        anna = exchange.phones["sip:anna@pbx"]
        anna.leg.abandon()
        kept = checkpoint.party_of(anna.leg.kept)
        assert kept == checkpoint.KeptParty(first.call.id, "person1")
        await exchange.freeze()
        await first.kill()
    async with successor(first, plan=plan, dialler=exchange) as second:
        exchange.go_on("sip:anna@pbx")
        await second.later(500)
        second.call.take_back(anna.leg, checkpoint.KeptParty(first.call.id, "person1"))
        await second.later(500)
        assert second.call.state is CallState.BRIDGED
        second.caller.speaking = True
        await second.later(1000)
        assert max(anna.heard[-20:]) > 1000
        assert second.caller.heard[-1] == 5000
        anna.leg.peer.hang_up()
        record = await second.over()
    assert record.reason is Reason.PARTY_HANGUP
    assert record.recovered == 1
    assert second.backends == [], "no agent was asked"


async def test_somebody_called_into_a_conversation_stays_in_it() -> None:
    exchange = Exchange({"sip:anna@pbx": Habit(0.5, says=5000)})
    async with Stage(dialler=exchange) as first:
        await first.talking()
        await first.call.desk.bridge("sip:anna@pbx", "speak", 10.0)
        await first.later(500)
        anna = exchange.phones["sip:anna@pbx"]
        anna.leg.abandon()
        await exchange.freeze()
        await first.kill()
    async with successor(first, dialler=exchange) as second:
        second.call.take_back(anna.leg, checkpoint.KeptParty(first.call.id, "person1"))
        exchange.go_on("sip:anna@pbx")
        await second.session()
        await second.later(2000)
        assert (second.call.bridge.joined, second.call.bridge.agent_role) == ("mix", "listen")
        second.caller.speaking = True
        await second.later(1000)
        assert max(anna.heard[-20:]) > 1000
        assert second.caller.heard[-1] == 5000
        anna.leg.peer.hang_up()
        await second.later(200)
        assert (second.call.bridge.joined, second.call.bridge.agent_role) == ("alone", "speak")
        second.leg.peer.hang_up()
        record = await second.over()
    assert record.reason is Reason.CALLER_HANGUP


async def test_a_caller_in_a_menu_hears_it_again() -> None:
    async def plan(call: CallControl) -> None:
        await call.play((Say("menu", "en"),))

    prompts = {"menu": (1500, 2000)}
    async with Stage(plan=plan, first_talk=None, prompts=prompts) as first:
        await first.later(500)
        await first.kill()
    async with successor(first, plan=plan, prompts=prompts) as second:
        record = await second.over()
    assert second.caller.heard_ms(1500) >= 2000
    assert record.reason is Reason.PLAN_ENDED
