"""REFER on a connected call, and what far ends say about it, proper and not."""

import secrets
from collections.abc import Callable
from random import Random

from gateway.core.ids import LegId
from gateway.wire import card as wire
from tests.integration.card.called import (
    Called,
    answer,
    bye,
    called,
    invited,
    receive,
    receive_status,
    request,
    respond,
    taken_bye,
)
from tests.integration.card.cards import Rack, RunningCard
from tests.integration.card.core import StandInCore
from tests.integration.card.placing import dial
from tests.integration.card.raw_callee import Message, RawCallee
from tests.integration.card.sipp import pause

SIPFRAG = "message/sipfrag;version=2.0"


def notify(cseq: int, frag: str, state: str, *, content_type: str = SIPFRAG) -> str:
    """The far end reports."""
    headers = ("Event: refer", f"Subscription-State: {state}")
    return request("NOTIFY", cseq, headers=headers, body=frag, content_type=content_type)


def accepted(*notifies: str) -> tuple[str, ...]:
    """A call whose far end takes the REFER."""
    refer = receive("REFER", expect="Refer-To: .?sip:op2@192.0.2.9:5070")
    return (invited(), answer(), refer, respond(202, "Accepted", tag=False), *notifies)


async def referred(cards: Rack, callee: Called) -> tuple[RunningCard, StandInCore, LegId]:
    """A connected call and its REFER on the way."""
    card = await cards.card(edge_port=callee.port)
    core = await card.core()
    leg = await dial(core, callee)
    await core.expect(wire.Answered)
    core.send(wire.Transfer(leg, "sip:op2@192.0.2.9:5070", (("X-Case", "7"),)))
    return card, core, leg


async def test_a_transfer_that_works(cards: Rack) -> None:
    steps = accepted(
        notify(2, "SIP/2.0 100 Trying", "active;expires=60"),
        receive_status(200),
        notify(3, "SIP/2.0 180 Ringing", "active;expires=60"),
        receive_status(200),
        notify(4, "SIP/2.0 200 OK", "terminated;reason=noresource"),
        receive_status(200),
        taken_bye(),
    )
    async with called(*steps) as callee:
        _, core, leg = await referred(cards, callee)
        final = await core.expect(wire.TransferProgress, lambda m: m.final)
        assert (final.leg, final.status, final.reason) == (leg, 200, "OK")
        core.send(wire.Hangup(leg))
        await core.expect(wire.LegClosed)
        await callee.passed()
        assert [m.status for m in core.of(wire.TransferProgress)] == [100, 100, 180, 200]
        assert "Referred-By:" in callee.messages()
        assert "X-Case: 7" in callee.messages()


async def test_a_new_party_that_declines(cards: Rack) -> None:
    steps = accepted(
        notify(2, "SIP/2.0 603 Decline", "terminated;reason=noresource"),
        receive_status(200),
        receive("REFER", expect="Refer-To: .?sip:op3@192.0.2.9"),
        respond(501, "Not Implemented", tag=False),
        bye(),
    )
    async with called(*steps) as callee:
        _, core, leg = await referred(cards, callee)
        final = await core.expect(wire.TransferProgress, lambda m: m.final)
        assert (final.leg, final.status, final.reason) == (leg, 603, "Decline")
        core.send(wire.Transfer(leg, "sip:op3@192.0.2.9", ()))  # another may be tried
        await core.expect(wire.TransferProgress, lambda m: m.status == 501 and m.final)
        assert (await core.expect(wire.LegClosed)).by == "far_end"
        await callee.passed()


async def test_a_far_end_that_refuses_to_transfer(cards: Rack) -> None:
    for status, reason in ((603, "Decline"), (501, "Not Implemented"), (405, "Method Not Allowed")):
        steps = (invited(), answer(), receive("REFER"), respond(status, reason, tag=False), bye())
        async with called(*steps) as callee:
            _, core, leg = await referred(cards, callee)
            final = await core.expect(wire.TransferProgress)
            assert (final.leg, final.status, final.reason, final.final) == (leg, status, reason, True)
            await core.expect(wire.LegClosed)
            await callee.passed()


async def test_a_second_transfer_waits_for_the_first(cards: Rack) -> None:
    async with called(*accepted(pause(500), bye())) as callee:
        _, core, leg = await referred(cards, callee)
        core.send(wire.Transfer(leg, "sip:op3@192.0.2.9", ()))
        refused = await core.expect(wire.Refused)
        assert (refused.command, refused.reason) == ("Transfer", "a transfer is under way")
        await core.expect(wire.LegClosed)
        await callee.passed()


async def test_a_transfer_to_nonsense_is_refused(cards: Rack) -> None:
    async with called(invited(), answer(), pause(500), bye()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        await core.expect(wire.Answered)
        core.send(wire.Transfer(leg, "sip:a@b\r\nX: y"))
        core.send(wire.Transfer(leg, ""))
        await core.until(lambda: len(core.of(wire.Refused)) == 2)
        await core.expect(wire.LegClosed)
        await callee.passed()
        assert "REFER" not in callee.messages().replace("Allow:", "").partition("BYE")[0].partition("ACK")[2]


FRAGS = (
    "",
    "SIP/2.0",
    "SIP/2.0 ",
    "SIP/2.0 abc OK",
    "SIP/2.0 99999999999999999999 OK",
    "SIP/2.0 200",
    "SIP/2.0 -1 x",
    "INVITE sip:a@b SIP/2.0",
    "\x01\x02",
    "SIP/2.0 200 " + "x" * 1500,
    "SIP/2.0 180 Ringing\nTo: <sip:x@y>",
)
STATES = ("active;expires=60", "terminated", "pending", "nonsense", ";;;", "active;expires=99999999999")
EVENTS = ("refer", "refer;id=93809824", "presence", "dialog", "", "refer;id=")
TYPES = (SIPFRAG, "message/sipfrag", "text/plain", "nonsense", "")


def _of(leg: LegId) -> Callable[[wire.Answered | wire.LegClosed], bool]:
    return lambda message: message.leg == leg


def noise(random: Random, invite: Message, cseq: int) -> bytes:
    """Something within the dialog that a far end should not send."""
    method = random.choice(("NOTIFY", "NOTIFY", "NOTIFY", "SUBSCRIBE", "REFER"))
    body = random.choice(FRAGS).encode("latin-1")
    length = random.choice((len(body), len(body), len(body), 0, 1, 5, 12, 5000))
    headers = [
        f"Event: {random.choice(EVENTS)}",
        f"Subscription-State: {random.choice(STATES)}",
        f"Content-Type: {random.choice(TYPES)}",
        "Refer-To: <sip:premium@127.0.0.1:9>",
    ]
    kept = [header for header in headers if random.random() > 0.15]
    return invite.request(method, cseq, headers=(*kept, f"Content-Length: {length}"), body=body)


async def test_strange_notifications_do_not_end_the_card(cards: Rack) -> None:
    """Seeded nonsense, after a REFER and without one; what is answered matters less than that it lives."""
    random = Random(4711)
    async with RawCallee() as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        for number in range(60):
            leg = await dial(core, callee, sip_call_id=f"{secrets.token_hex(8)}")
            invite = await callee.received("INVITE")
            callee.send(invite.response(200, "OK", body=callee.sdp))
            await core.expect(wire.Answered, _of(leg))
            if number % 3:
                core.send(wire.Transfer(leg, "sip:op2@192.0.2.9:5070"))
                refer = await callee.received("REFER")
                callee.send(refer.response(202, "Accepted"))
            for cseq in range(2, 8):
                callee.send(noise(random, invite, cseq))
            core.send(wire.Hangup(leg))
            bye = await callee.received("BYE")
            callee.send(bye.response(200, "OK"))
            await core.expect(wire.LegClosed, _of(leg))
            assert card.alive(), number
