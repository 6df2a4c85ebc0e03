"""Waiting lines, and the gate before a call is let in."""

import pytest

from gateway.calls.desk import NotPossibleError
from gateway.calls.gate import Accept, Gate, Reject
from gateway.core.termination import Reason
from gateway.dialplan.runtime import (
    CallControl,
    QueueRequest,
    Say,
    StepFailedError,
)
from tests.scenarios.stage import Stage
from tests.scenarios.telephones import Exchange, Habit

ANNA = "sip:anna@pbx"


# ---- waiting lines --------------------------------------------------------------------------------


async def test_a_queue_plays_music_and_serves_when_somebody_is_free() -> None:
    exchange = Exchange({ANNA: Habit(4.0, says=5000)})

    async def plan(call: CallControl) -> None:
        request = QueueRequest("help", (ANNA,), 10.0, "all", 60.0, 5, 1, Say("music", "en"), None, "en")
        await call.queue(request)

    prompts = {"music": (1200, 1000)}
    async with Stage(plan=plan, first_talk=None, dialler=exchange, prompts=prompts) as stage:
        await stage.later(3900)
        assert stage.caller.heard_ms(1200) > 3300
        await stage.later(2000)
        assert stage.caller.heard[-1] == 5000
        assert stage.settings.queues.lengths() == {"help": 0}
        exchange.phones[ANNA].leg.peer.hang_up()
        record = await stage.over()
    assert record.reason is Reason.PARTY_HANGUP


async def test_a_queue_that_nobody_serves_is_left_in_time() -> None:
    kinds: list[str] = []

    async def plan(call: CallControl) -> None:
        try:
            request = QueueRequest("help", (ANNA,), 2.0, "all", 10.0, 5, 1, None, None, "en")
            await call.queue(request)
        except StepFailedError as exc:
            kinds.append(exc.kind)

    exchange = Exchange({ANNA: Habit(None)})
    async with Stage(plan=plan, first_talk=None, dialler=exchange) as stage:
        record = await stage.over()
    assert kinds == ["timeout"]
    assert 9.9 < record.duration_s < 11
    assert len(exchange.rung) == 2, "again after a pause"


# ---- the gate -------------------------------------------------------------------------------------


async def test_a_call_waits_for_a_decision_and_goes_on_by_the_plan() -> None:
    gate = Gate(5.0, "reject")
    async with Stage(gate=gate) as stage:
        await stage.later(1000)
        assert stage.phone() == "ringing"
        stage.call.desk.decide(Accept(instructions="Be brief."))
        await stage.talking()
        with pytest.raises(NotPossibleError):
            stage.call.desk.decide(Accept())
        assert stage.journal.figures.instructions == "Be brief."
        stage.leg.peer.hang_up()
        await stage.over()


@pytest.mark.parametrize("decided", [True, False])
async def test_a_call_that_is_not_let_in(decided: bool) -> None:
    gate = Gate(5.0, "reject")
    async with Stage(gate=gate) as stage:
        await stage.later(1000)
        if decided:
            stage.call.desk.decide(Reject(486, "Busy Here"))
        record = await stage.over()
    assert record.reason is Reason.DECLINED
    assert record.sip_status == (486 if decided else 480)
    assert stage.backends == []
