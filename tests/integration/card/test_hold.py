"""Hold and resume when something is in their way: a real card against a PJSIP phone and SIPp."""

import asyncio

from gateway.wire import card as wire
from tests.integration.card.called import receive as take
from tests.integration.card.called import respond
from tests.integration.card.cards import Rack
from tests.integration.card.core import auto_answer
from tests.integration.card.phone import RemotePhone
from tests.integration.card.sipp import invite, receive, run_sipp, sdp, send

OFFER = "a=sendonly"
RESUMED = "a=sendrecv"


def refuse(status: int, reason: str) -> str:
    """What the card offers is refused."""
    return take("INVITE", expect=OFFER) + respond(status, reason, tag=False) + take("ACK")


def agree(expect: str, answer: str) -> str:
    """What the card offers is taken."""
    body = sdp(direction=answer)
    return take("INVITE", expect=expect) + respond(200, "OK", body=body, tag=False) + take("ACK")


BYE = [send("BYE", 9), receive(200)]


async def test_a_resume_in_the_same_turn_as_a_hold_reaches_the_phone(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    phone = await RemotePhone.dial(f"sip:gw@127.0.0.1:{card.sip_port}")
    leg = (await core.expect(wire.Answered)).leg
    await phone.expect(state="confirmed")
    core.send(wire.Hold(leg, True))
    core.send(wire.Hold(leg, False))
    media = (await phone.expect(media=...))["media"]
    while media["sending"]:  # of the call's beginning
        media = (await phone.expect(media=...))["media"]
    while not media["sending"]:
        media = (await phone.expect(media=...))["media"]
    assert media["receiving"]
    assert not core.of(wire.Refused)
    await phone.hang_up()


async def test_a_hold_that_crosses_an_offer_of_the_far_end_is_made_again(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    steps = [invite(sdp()), receive(200), send("ACK"), refuse(491, "Request Pending")]
    steps += [agree(OFFER, "recvonly"), agree(RESUMED, "sendrecv"), *BYE]
    far_end = asyncio.create_task(run_sipp(card.sip_port, steps))
    leg = (await core.expect(wire.Answered)).leg
    await core.until(lambda: len(core.ticks) > 5)
    core.send(wire.Hold(leg, True))
    await core.until(lambda: len(core.of(wire.MediaChanged)) == 2)
    core.send(wire.Hold(leg, False))
    await core.expect(wire.LegClosed)
    outcome = await far_end
    assert outcome.status == 0, outcome.output
    assert not core.of(wire.Refused)


async def test_a_hold_that_the_far_end_refuses_is_told_and_not_offered_again(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    both = ("0 3", ("0 PCMU/8000", "3 GSM/8000"))
    body = sdp(("3", ("3 GSM/8000",)))
    steps = [invite(sdp(both)), receive(200), send("ACK"), refuse(488, "Not Acceptable Here")]
    steps += [take("INVITE", expect=RESUMED) + respond(200, "OK", body=body, tag=False) + take("ACK"), *BYE]
    far_end = asyncio.create_task(run_sipp(card.sip_port, steps))
    leg = (await core.expect(wire.Answered)).leg
    await core.until(lambda: len(core.ticks) > 5)
    core.send(wire.Hold(leg, True))
    refused = await core.expect(wire.Refused)
    assert (refused.command, refused.status) == ("Hold", 488)
    core.send(wire.SetTier(leg, "GSM/20"))
    await core.expect(wire.LegClosed)
    outcome = await far_end
    assert outcome.status == 0, outcome.output
    assert core.of(wire.MediaChanged)[-1].codec == "GSM"
