"""Faults of the core's own: they cost the call that has them at most, and never its record."""

import pytest
from structlog.testing import capture_logs

from gateway.core.termination import Reason
from tests.scenarios.stage import Stage
from tests.scenarios.telephones import Exchange, Habit

ANNA = "sip:anna@pbx"


async def test_a_mix_that_fails_ends_its_call_and_leaves_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Exchange({ANNA: Habit(0.5)})
    with capture_logs() as logged:
        async with Stage(dialler=exchange) as stage:
            await stage.talking()
            await stage.call.desk.bridge(ANNA, "speak", 10.0)

            def fail(*_: object) -> None:
                raise OSError("no space left")

            monkeypatch.setattr(exchange.phones[ANNA].leg, "play", fail)
            record = await stage.over(within_s=2.0)
            await exchange.quiet()
    assert record.reason is Reason.INTERNAL_ERROR
    assert "the mix has failed" in [entry["event"] for entry in logged]


async def test_a_part_that_does_not_end_cleanly_costs_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Stage() as stage:
        await stage.talking()

        def fail() -> None:
            raise ValueError("no such thing")

        monkeypatch.setattr(stage.call._verbs.persons, "close", fail)
        stage.leg.peer.hang_up()
        record = await stage.over(within_s=2.0)
    assert record.reason is Reason.CALLER_HANGUP
