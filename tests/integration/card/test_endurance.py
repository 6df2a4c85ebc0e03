"""Many short calls through one card leave nothing behind."""

import pytest

from gateway.wire import card as wire
from tests.integration.card.cards import Rack
from tests.integration.card.core import auto_answer
from tests.integration.card.sipp import invite, pause, receive, run_sipp, sdp, send

SHORT_CALL = [invite(sdp()), receive(200), send("ACK"), pause(60), send("BYE", 2), receive(200)]


@pytest.mark.long
async def test_four_hundred_short_calls_do_not_grow_the_card(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    # PJSIP remembers a transaction for 32 s (RFC 3261 §17), so memory is steady only after that.
    first = await run_sipp(card.sip_port, SHORT_CALL, calls=500, rate=15)
    assert first.status == 0, first.output
    await core.until(lambda: len(core.of(wire.LegClosed)) == 500)
    memory_kb, descriptors = card.rss_kb(), card.descriptors()
    rest = await run_sipp(card.sip_port, SHORT_CALL, calls=400, rate=15)
    assert rest.status == 0, rest.output
    await core.until(lambda: len(core.of(wire.LegClosed)) == 900)
    assert len(core.of(wire.Answered)) == 900
    assert {m.status for m in core.of(wire.LegClosed)} == {200}
    assert card.descriptors() <= descriptors
    assert card.rss_kb() - memory_kb < 400, (memory_kb, card.rss_kb())
