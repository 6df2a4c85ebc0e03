"""Callers and people: called one by one or at once, joined, put aside, handed back."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.backends import contract as ai
from gateway.calls.checkpoint import AgentRole
from gateway.calls.desk import NotPossibleError
from gateway.core.call_state import CallState
from gateway.core.record import TimelineKind as K
from gateway.core.termination import Reason
from gateway.dialplan.runtime import (
    CallControl,
    DialRequest,
    DialStrategy,
    Say,
    StepFailedError,
    TalkRequest,
)
from tests.scenarios.stage import AGENT, TALK, Stage
from tests.scenarios.telephones import Exchange, Habit

ANNA, BERT = "sip:anna@pbx", "webrtc:bert"


def joined(stage: Stage) -> str:
    """How the parties are joined just now."""
    return stage.call.bridge.joined


def dialling(
    *targets: str, strategy: DialStrategy = "all", ring_s: float = 20.0, failed: list[str] | None = None
) -> Any:
    async def plan(call: CallControl) -> None:
        try:
            await call.dial(DialRequest(targets, ring_s, strategy, key="here"))
        except StepFailedError as exc:
            if failed is None:
                raise
            failed.append(exc.kind)

    return plan


async def test_the_caller_hears_the_person_and_the_person_the_caller() -> None:
    exchange = Exchange({ANNA: Habit(says=5000)})
    async with Stage(plan=dialling(ANNA), first_talk=None, dialler=exchange) as stage:
        await stage.later(500)
        assert stage.phone() == "ringing", "nobody pays for ringing"
        await stage.later(1000)
        assert stage.call.state is CallState.BRIDGED
        assert joined(stage) == "pair"
        stage.caller.speaking = True
        await stage.later(2000)
        anna = exchange.phones[ANNA]
        assert stage.caller.heard_ms(5000) > 1800
        assert max(anna.heard[-20:]) > 1000
        anna.leg.peer.hang_up()
        record = await stage.over()
    assert record.reason is Reason.PARTY_HANGUP
    assert record.setup_ms == pytest.approx(1000, abs=50), "answered when somebody was there"


async def test_everybody_rings_and_only_the_first_stays() -> None:
    exchange = Exchange({ANNA: Habit(2.0), BERT: Habit(1.0)})
    async with Stage(plan=dialling(ANNA, BERT), first_talk=None, dialler=exchange) as stage:
        await stage.later(3000)
        assert exchange.given_up == [ANNA]
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()
        assert exchange.phones[BERT].leg.state == "closed"


async def test_two_who_answer_at_the_same_moment() -> None:
    exchange = Exchange({ANNA: Habit(1.0), BERT: Habit(1.0)})
    async with Stage(plan=dialling(ANNA, BERT), first_talk=None, dialler=exchange) as stage:
        await stage.later(2000)
        states = sorted(phone.leg.state for phone in exchange.phones.values())
        assert states.count("connected") == 1
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


@pytest.mark.parametrize(
    ("habits", "kind"),
    [
        ([Habit(0.5, "busy"), Habit(None)], "busy"),
        ([Habit(None), Habit(None)], "no_answer"),
        ([Habit(0.5, "refused"), Habit(0.5, "unreachable")], "refused"),
    ],
)
@pytest.mark.parametrize("strategy", ["all", "order"])
async def test_what_the_plan_is_told_when_nobody_comes(
    habits: Sequence[Habit], kind: str, strategy: DialStrategy
) -> None:
    exchange = Exchange({ANNA: habits[0], BERT: habits[1]})
    failed: list[str] = []
    plan = dialling(ANNA, BERT, strategy=strategy, ring_s=5.0, failed=failed)
    async with Stage(plan=plan, first_talk=None, dialler=exchange) as stage:
        record = await stage.over()
    assert failed == [kind]
    assert record.sip_status == (486 if kind == "busy" else 480), "never answered"


async def test_a_caller_who_gives_up_stops_the_ringing() -> None:
    exchange = Exchange({ANNA: Habit(None)})
    async with Stage(plan=dialling(ANNA), first_talk=None, dialler=exchange) as stage:
        await stage.later(3000)
        stage.leg.peer.hang_up()
        record = await stage.over()
    assert exchange.given_up == [ANNA]
    assert record.reason is Reason.CANCELLED


async def test_a_caller_who_was_answered_hears_a_ringing_tone_meanwhile() -> None:
    exchange = Exchange({ANNA: Habit(6.0, says=5000)})

    async def plan(call: CallControl) -> None:
        await call.play((Say("menu", "en"),))
        await call.dial(DialRequest((ANNA,), 20.0))

    prompts = {"menu": (1500, 400)}
    async with Stage(plan=plan, first_talk=None, dialler=exchange, prompts=prompts) as stage:
        await stage.later(6000)
        assert stage.caller.heard_ms(1500) == 400
        ringing = [level for level in stage.caller.heard if level not in (0, 1500)]
        assert 900 <= 20 * len(ringing) <= 2100, "one second in five"
        await stage.later(2000)
        assert 5000 in stage.caller.heard
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


async def test_round_robin_begins_one_further_each_time() -> None:
    exchange = Exchange({ANNA: Habit(None), BERT: Habit(None)})
    failed: list[str] = []

    async def plan(call: CallControl) -> None:
        for _ in range(2):
            await dialling(ANNA, BERT, strategy="round_robin", ring_s=1.0, failed=failed)(call)

    async with Stage(plan=plan, first_talk=None, dialler=exchange) as stage:
        await stage.over()
    assert exchange.rung == [ANNA, BERT, BERT, ANNA]


# ---- the agent and people -----------------------------------------------------------------------


async def test_an_agent_hands_over_and_gets_the_caller_back() -> None:
    exchange = Exchange({ANNA: Habit(1.0, says=5000)})
    request = TalkRequest(AGENT, allow=(ANNA,))

    async def plan(call: CallControl) -> None:
        await call.talk(request)

    async with Stage(plan=plan, first_talk=request, dialler=exchange) as stage:
        backend = await stage.talking()
        backend.function_call("f1", "transfer_call", json.dumps({"target": ANNA}))
        backend.emit(ai.ResponseDone("r1", "completed"))
        await stage.later(3000)
        assert stage.call.state is CallState.BRIDGED
        heard = len(backend.heard)
        stage.caller.speaking = True
        await stage.later(1000)
        assert len(backend.heard) == heard, "the agent does not listen to people"
        stage.call.bridge.parties[1].close("done")
        record = await stage.over()
    assert record.reason is Reason.PARTY_HANGUP


@pytest.mark.parametrize("target", ["sip:boss@pbx", "", "sip:anna@pbx "])
async def test_an_agent_may_only_transfer_to_whom_the_plan_allows(target: str) -> None:
    exchange = Exchange({ANNA: Habit(1.0), "sip:boss@pbx": Habit(1.0)})
    request = TalkRequest(AGENT, allow=(ANNA,))

    async def plan(call: CallControl) -> None:
        await call.talk(request)

    async with Stage(plan=plan, first_talk=request, dialler=exchange) as stage:
        backend = await stage.talking()
        backend.function_call("f1", "transfer_call", json.dumps({"target": target}))
        await backend.until_told("tool_result")
        assert exchange.rung == []
        stage.leg.peer.hang_up()
        await stage.over()


# ---- the desk -------------------------------------------------------------------------------------


async def test_three_talk_and_the_agent_hears_both() -> None:
    exchange = Exchange({ANNA: Habit(0.5, says=5000, sample_rate_hz=16000)})
    async with Stage(dialler=exchange) as stage:
        backend = await stage.talking()
        key = await stage.call.desk.bridge(ANNA, "speak", 10.0)
        assert joined(stage) == "mix"
        await stage.later(1000)
        heard = len(backend.heard)
        backend.answer("item_1", 2000, 500)
        await stage.later(1500)
        anna = exchange.phones[ANNA]
        assert max(anna.heard) >= 1900, "the agent"
        assert max(stage.caller.heard) >= 6500, "agent and person at once"
        assert len(backend.heard) - heard >= 1.4 * 16000
        stage.call.desk.drop(key)
        await stage.later(200)
        assert joined(stage) == "alone"
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


async def test_the_call_ends_with_the_last_person_when_the_agent_was_sent_away() -> None:
    exchange = Exchange({ANNA: Habit(0.5)})
    async with Stage(dialler=exchange) as stage:
        await stage.talking()
        await stage.call.desk.bridge(ANNA, "away", 10.0)
        await stage.later(500)
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await stage.over()
        await exchange.quiet()
    assert record.reason is Reason.PARTY_HANGUP


async def test_a_prompt_that_began_in_company_does_not_outlast_it() -> None:
    async def plan(call: CallControl) -> None:
        await call.play((Say("short", "en"), Say("long", "en")))
        await call.talk(TALK)

    exchange = Exchange({ANNA: Habit(0.5)})
    prompts = {"short": (1200, 1000), "long": (1300, 10_000)}
    async with Stage(plan=plan, dialler=exchange, prompts=prompts) as stage:
        await stage.later(100)
        await stage.call.desk.bridge(ANNA, "speak", 10.0)
        await stage.later(3000)
        exchange.phones[ANNA].leg.peer.hang_up()
        await asyncio.wait_for(stage.talking(), 1.0)
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()
    assert stage.caller.heard_ms(1300) < 4000


async def test_who_leaves_changes_nothing_for_those_who_stay() -> None:
    exchange = Exchange({ANNA: Habit(0.5), BERT: Habit(0.5)})
    async with Stage(dialler=exchange) as stage:
        await stage.talking()
        desk, bridge = stage.call.desk, stage.call.bridge
        anna = await desk.bridge(ANNA, "speak", 10.0)
        await desk.bridge(BERT, "listen", 10.0)
        desk.hold(True)
        desk.drop(anna)
        await stage.later(200)
        assert bridge.agent_role == "listen"
        assert bridge.caller.held, "the operator's hold"
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


@pytest.mark.parametrize(("first", "then"), [("away", "listen"), ("listen", "away")])
async def test_the_last_who_leaves_never_leaves_the_caller_with_nobody(
    first: AgentRole, then: AgentRole
) -> None:
    exchange = Exchange({ANNA: Habit(0.5), BERT: Habit(0.5)})
    async with Stage(dialler=exchange) as stage:
        await stage.talking()
        for target, role in ((ANNA, first), (BERT, then)):
            await stage.call.desk.bridge(target, role, 10.0)
        for target in (ANNA, BERT):
            exchange.phones[target].leg.peer.hang_up()
            await stage.later(200)
        if then == "listen":
            assert (joined(stage), stage.call.bridge.agent_role) == ("alone", "speak")
            stage.leg.peer.hang_up()
        record = await stage.over()
        await exchange.quiet()
    assert record.reason is (Reason.CALLER_HANGUP if then == "listen" else Reason.PARTY_HANGUP)


async def test_people_talk_on_when_the_agent_is_lost() -> None:
    exchange = Exchange({ANNA: Habit(0.5, says=5000)})
    async with Stage(dialler=exchange) as stage:
        backend = await stage.talking()
        await stage.call.desk.bridge(ANNA, "speak", 10.0)
        backend.lose("refused", retryable=False)
        await stage.later(60_000)
        assert stage.call.state is CallState.BRIDGED
        assert joined(stage) == "pair"
        assert stage.caller.heard[-1] == 5000
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await stage.over()
        await exchange.quiet()
    assert record.reason is Reason.BACKEND_REFUSED, "who stays alone is told"
    assert stage.events(K.PROMPT)


async def test_a_whisper_reaches_one_party_only() -> None:
    exchange = Exchange({ANNA: Habit(0.5)})
    async with Stage(dialler=exchange, prompts={"hint": (1700, 500)}) as stage:
        await stage.talking()
        key = await stage.call.desk.bridge(ANNA, "away", 10.0)
        await stage.later(500)
        assert await stage.call.desk.play(Say("hint", "en"), key) == 500
        await stage.later(1000)
        assert 400 <= 20 * exchange.phones[ANNA].heard.count(1700) <= 520
        assert stage.caller.heard_ms(1700) == 0
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


async def test_whoever_is_on_hold_hears_nobody_but_what_is_played() -> None:
    exchange = Exchange({ANNA: Habit(0.5, says=5000)})
    async with Stage(dialler=exchange, prompts={"wait": (1700, 500)}) as stage:
        await stage.talking()
        await stage.call.desk.bridge(ANNA, "away", 10.0)
        await stage.later(1000)
        stage.call.desk.hold(True)
        await stage.later(300)
        before = len(stage.caller.heard)
        await stage.later(1000)
        assert set(stage.caller.heard[before:]) == {0}
        assert stage.leg.peer_held
        await stage.call.desk.play(Say("wait", "en"), "caller")
        await stage.later(1000)
        assert 400 <= stage.caller.heard_ms(1700) <= 520
        assert stage.caller.heard[-1] == 0
        stage.call.desk.hold(False)
        await stage.later(1000)
        assert stage.caller.heard[-1] == 5000
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


async def test_what_cannot_be_done_is_said() -> None:
    async with Stage(dialler=Exchange({ANNA: Habit(0.5, "busy")})) as stage:
        with pytest.raises(NotPossibleError) as early:
            stage.call.desk.hold(True)
        assert early.value.status == 409
        await stage.talking()
        with pytest.raises(NotPossibleError, match="no such party") as stranger:
            stage.call.desk.drop("person7")
        assert stranger.value.status == 404
        with pytest.raises(NotPossibleError, match="busy"):
            await stage.call.desk.bridge(ANNA, "away", 5.0)
        with pytest.raises(NotPossibleError) as forbidden:
            await stage.call.desk.bridge("sip:x@y", "away", 5.0)
        assert forbidden.value.status == 403
        with pytest.raises(NotPossibleError):
            await stage.call.desk.play(Say("unknown", "en"))
        assert stage.events(K.DIAL_FAILED)
        stage.leg.peer.hang_up()
        await stage.over()


async def test_the_end_of_the_call_stops_what_the_desk_began() -> None:
    exchange = Exchange({ANNA: Habit(None)})
    async with Stage(dialler=exchange) as stage:
        await stage.talking()
        ringing = asyncio.create_task(stage.call.desk.bridge(ANNA, "away", 60.0))
        await stage.later(1000)
        stage.leg.peer.hang_up()
        await stage.over()
        with pytest.raises(NotPossibleError, match="ended"):
            await ringing
    assert exchange.given_up == [ANNA]
