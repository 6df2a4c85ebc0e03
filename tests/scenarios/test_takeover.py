"""The core is killed, and the next one goes on with the call."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from gateway.backends import contract as ai
from gateway.calls import checkpoint
from gateway.calls.checkpoint import AgentRole
from gateway.calls.spool import complete_leftovers
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallControl, DialRequest, RecordRequest, Say
from tests.scenarios.stage import Stage, successor
from tests.scenarios.telephones import Exchange, Habit

GREETING, ANSWER = 1000, 2000
ANNA, BERT, CEM = "sip:anna@pbx", "sip:bert@pbx", "sip:cem@pbx"


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


async def freeze(stage: Stage, exchange: Exchange) -> None:
    """The core dies while people are in the call."""
    for phone in exchange.phones.values():
        phone.leg.abandon()
    await exchange.freeze()
    await stage.kill()


async def give_back(stage: Stage, exchange: Exchange, *targets: str) -> None:
    """The next core finds their legs."""
    for target in targets:
        leg = exchange.phones[target].leg
        kept = checkpoint.party_of(leg.kept)
        assert kept is not None
        exchange.go_on(target)
        stage.call.take_back(leg, kept)
    await stage.later(500)


@pytest.mark.parametrize("role", ["speak", "listen", "away"])
async def test_somebody_called_into_a_conversation_stays_in_it(role: AgentRole) -> None:
    exchange = Exchange({ANNA: Habit(0.5, says=5000)})
    async with Stage(dialler=exchange) as first:
        await first.talking()
        await first.call.desk.bridge(ANNA, role, 10.0)
        await first.later(500)
        await freeze(first, exchange)
    async with successor(first, dialler=exchange) as second:
        await give_back(second, exchange, ANNA)
        await second.session()
        await second.later(2000)
        bridge, anna = second.call.bridge, exchange.phones[ANNA]
        assert (bridge.joined, bridge.agent_role) == ("pair" if role == "away" else "mix", role)
        second.caller.speaking = True
        await second.later(1000)
        assert max(anna.heard[-20:]) > 1000
        assert second.caller.heard[-1] == 5000
        anna.leg.peer.hang_up()
        await second.later(200)
        if role != "away":
            assert (bridge.joined, bridge.agent_role) == ("alone", "speak")
            second.leg.peer.hang_up()
        record = await second.over()
    assert record.reason is (Reason.PARTY_HANGUP if role == "away" else Reason.CALLER_HANGUP)


async def plan_with_anna(call: CallControl) -> None:
    await call.dial(DialRequest((ANNA,), 20.0))


@pytest.mark.parametrize("order", [(ANNA, BERT, CEM), (CEM, BERT, ANNA)])
async def test_everybody_is_joined_again_whoever_called_them(order: tuple[str, ...]) -> None:
    exchange = Exchange({ANNA: Habit(says=5000), BERT: Habit(0.5, says=300), CEM: Habit(0.5, says=20)})
    async with Stage(plan=plan_with_anna, first_talk=None, dialler=exchange) as first:
        await first.later(2000)
        await first.call.desk.bridge(BERT, "away", 10.0)
        await first.call.desk.bridge(CEM, "away", 10.0)
        await first.later(500)
        await freeze(first, exchange)
    async with successor(first, plan=plan_with_anna, dialler=exchange) as second:
        await give_back(second, exchange, *order)
        await second.later(500)
        assert second.call.state is CallState.BRIDGED
        assert second.caller.heard[-1] == 5320, "the caller hears all three"
        assert exchange.phones[ANNA].heard[-1] == 320
        exchange.phones[BERT].leg.peer.hang_up()
        await second.later(500)
        assert second.caller.heard[-1] == 5020
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await second.over()
        await exchange.quiet()
    assert record.reason is Reason.PARTY_HANGUP
    assert exchange.phones[CEM].leg.state == "closed"


async def test_those_who_are_left_talk_on_when_the_plans_person_has_gone_meanwhile() -> None:
    exchange = Exchange({ANNA: Habit(says=5000), BERT: Habit(0.5, says=300)})
    async with Stage(plan=plan_with_anna, first_talk=None, dialler=exchange) as first:
        await first.later(2000)
        await first.call.desk.bridge(BERT, "away", 10.0)
        await freeze(first, exchange)
    async with successor(first, plan=plan_with_anna, dialler=exchange) as second:
        await give_back(second, exchange, BERT)
        await second.later(6000)
        assert second.call.state is CallState.BRIDGED
        assert second.caller.heard[-1] == 300
        assert second.backends == [], "no agent was asked"
        exchange.phones[BERT].leg.peer.hang_up()
        record = await second.over()
    assert record.reason is Reason.PARTY_HANGUP


async def test_a_caller_on_hold_stays_there_and_can_be_taken_back() -> None:
    exchange = Exchange({ANNA: Habit(0.5, says=5000)})
    async with Stage(dialler=exchange) as first:
        await first.talking()
        await first.call.desk.bridge(ANNA, "listen", 10.0)
        first.call.desk.hold(True)
        first.call.desk.mute(True, "person1")
        await first.later(500)
        await freeze(first, exchange)
    async with successor(first, dialler=exchange) as second:
        await give_back(second, exchange, ANNA)
        await second.session()
        await second.later(500)
        assert [(party.held, party.muted) for party in second.call.bridge.parties] == [
            (True, False),
            (False, True),
        ]
        assert second.leg.peer_held, "the phone was not asked"
        second.call.desk.hold(False)
        second.call.desk.mute(False, "person1")
        await second.later(500)
        assert second.leg.state == "connected"
        assert second.caller.heard[-1] == 5000
        second.leg.peer.hang_up()
        await second.over()
        await exchange.quiet()


async def test_a_recording_is_gone_on_with(tmp_path: Path) -> None:
    async with Stage(recordings=tmp_path) as first:
        backend = await first.talking()
        wav = Path(first.call.desk.record())
        backend.answer("item_1", GREETING, 400, text="hello")
        await first.later(900)
        backend.emit(ai.SpeechStarted("item_2"), ai.SpeechStopped("item_2"))
        backend.caller_said("item_2", "billing please")
        await first.later(100)
        await first.kill()
    assert not wav.exists(), "it is not over"
    await asyncio.sleep(2)
    async with successor(first, recordings=tmp_path) as second:
        backend = await second.session()
        await backend.until_told("resume")
        backend.answer("item_3", ANSWER, 200)
        await second.later(1000)
        second.leg.peer.hang_up()
        await second.over()
    assert [path.name for path in wav.parent.iterdir()] == [wav.name]
    with wave.open(str(wav)) as reader:
        both = np.frombuffer(reader.readframes(reader.getnframes()), np.int16).reshape(-1, 2)
    assert len(both) / 8000 == pytest.approx(4.0, abs=0.2)
    heard = both[:, 1]
    assert np.count_nonzero(heard == GREETING) == 400 * 8
    assert np.count_nonzero(heard == ANSWER) == 200 * 8
    between = np.flatnonzero(heard == ANSWER)[0] - np.flatnonzero(heard == GREETING)[-1]
    assert between / 8000 == pytest.approx(2.6, abs=0.2), "each at its own time"
    states = [event.fields["state"] for event in second.events(K.RECORDING)]
    assert states == ["started", "resumed", "ended"]


async def test_a_recording_that_was_completed_meanwhile_is_followed_by_another(tmp_path: Path) -> None:
    async with Stage(recordings=tmp_path) as first:
        await first.talking()
        wav = Path(first.call.desk.record())
        await first.later(1000)
        await first.kill()
    assert complete_leftovers(tmp_path) == 1
    async with successor(first, recordings=tmp_path) as second:
        await (await second.session()).until_told("greet")
        await second.later(500)
        second.leg.peer.hang_up()
        await second.over()
    assert sorted(path.name for path in wav.parent.iterdir()) == ["call_1-2.wav", "call_1.wav"]


async def test_a_message_that_a_dying_core_cut_short_is_kept_beside_the_next(tmp_path: Path) -> None:
    async def plan(call: CallControl) -> None:
        await call.record(RecordRequest(2.0, 60.0, "#", False, "closed"))

    async with Stage(plan=plan, first_talk=None, recordings=tmp_path) as first:
        first.caller.speaking = True
        await first.later(1000)
        await first.kill()
    async with successor(first, plan=plan, recordings=tmp_path) as second:
        await second.over()
    mailbox = tmp_path / "closed"
    assert sorted(path.name for path in mailbox.iterdir()) == ["call_1-2.wav", "call_1.wav"]
    with wave.open(str(mailbox / "call_1.wav")) as reader:
        assert reader.getnframes() / 8000 == pytest.approx(1.0, abs=0.1)


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
