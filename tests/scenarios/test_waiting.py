"""What a caller in a queue hears, and what becomes of it when it cannot be said."""

import structlog

from gateway.core.termination import Reason
from gateway.dialplan.runtime import CallControl, QueueRequest, Say
from tests.scenarios.stage import Stage
from tests.scenarios.telephones import Exchange, Habit

ANNA = "webrtc:anna"
MUSIC = Say("music", "en")


def waiting(music: Say | None, position_every_s: float | None) -> QueueRequest:
    """In a queue of which Anna takes the calls."""
    return QueueRequest("help", (ANNA,), 10.0, "all", 60.0, 5, 1, music, position_every_s, "en")


async def test_without_music_it_is_a_ringing_tone() -> None:
    async def plan(call: CallControl) -> None:
        await call.queue(waiting(None, None))

    exchange = Exchange({ANNA: Habit(8.0, says=5000)})
    async with Stage(plan=plan, first_talk=None, dialler=exchange) as stage:
        await stage.later(7500)
        sounding = sum(abs(value) > 0 for value in stage.caller.heard)
        assert 80 <= sounding <= 110, "two seconds of tone in seven, in frames of 20 ms"
        stage.leg.peer.hang_up()
        await stage.over()
        await exchange.quiet()


async def test_a_place_that_cannot_be_said_is_logged_and_the_wait_goes_on() -> None:
    async def plan(call: CallControl) -> None:
        await call.queue(waiting(MUSIC, 1.0))

    exchange = Exchange({ANNA: Habit(4.0, says=5000)})
    prompts = {"music": (1200, 1000)}
    with structlog.testing.capture_logs() as logged:
        async with Stage(plan=plan, first_talk=None, dialler=exchange, prompts=prompts) as stage:
            await stage.later(3900)
            assert stage.caller.heard_ms(1200) > 3300
            await stage.later(1000)
            assert stage.caller.heard[-1] == 5000
            exchange.phones[ANNA].leg.peer.hang_up()
            record = await stage.over()
    assert record.reason is Reason.PARTY_HANGUP
    assert sum("place in the queue cannot be said" in entry["event"] for entry in logged) == 1
