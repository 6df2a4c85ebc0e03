"""Calls that go out through the edge: to SIPp and baresip, among calls that come in."""

import asyncio
import os
import signal

import pytest

from gateway.legs.dials import DialFailedError
from gateway.wire import card as wire
from tests.integration.baresip import Baresip
from tests.integration.card.called import (
    answer,
    bye,
    called,
    cancelled,
    challenged_by_proxy,
    invited,
    proxy_digest,
    receive,
    receive_status,
    request,
    respond,
    taken_bye,
)
from tests.integration.card.sipp import pause
from tests.integration.edge.switchboard import switchboard
from tests.integration.sipp import Sipp
from tests.integration.spectrum import seconds_of_tone

pytestmark = pytest.mark.needs("sipp")


async def test_the_far_end_sees_our_public_face_and_hangs_up() -> None:
    steps = (invited(), respond(180, "Ringing"), pause(100), answer(), pause(200), bye())
    async with switchboard() as board, called(*steps) as callee:
        party = await board.dial(callee.uri)
        assert (await party.expect(wire.Progress)).status == 180
        await party.expect(wire.Answered)
        closed = await party.closed()
        assert (closed.status, closed.by) == (200, "far_end")
        await callee.passed()
        messages = callee.messages()
        assert f"Contact: <sip:gateway@127.0.0.1:{board.port};c=0>" in messages
        assert f"Via: SIP/2.0/UDP 127.0.0.1:{board.port};rport" in messages
        assert "X-Gateway" not in messages
        assert board.slots.live_calls <= 1


async def test_we_hang_up() -> None:
    async with switchboard() as board, called(invited(), answer(), taken_bye()) as callee:
        party = await board.dial(callee.uri)
        await party.expect(wire.Answered)
        party.leg.close(200, "")
        assert (await party.closed()).by == "gateway"
        await callee.passed()


async def test_over_tcp() -> None:
    steps = (invited(), respond(180, "Ringing"), answer(), pause(200), bye())
    async with switchboard() as board, called(*steps, transport="t1") as callee:
        party = await board.dial(f"{callee.uri};transport=tcp")
        await party.expect(wire.Answered)
        assert (await party.closed()).status == 200
        await callee.passed()
        assert ";transport=tcp" in callee.messages()


async def test_a_busy_phone_frees_its_slot() -> None:
    async with (
        switchboard(max_calls=1) as board,
        called(invited(), respond(486, "Busy Here"), receive("ACK"), calls=3) as callee,
    ):
        for _ in range(3):
            party = await board.dial(callee.uri)
            closed = await party.closed()
            assert (closed.status, closed.reason, closed.by) == (486, "Busy Here", "far_end")
            await board.empty()
        await callee.passed()


async def test_no_answer_and_cancel() -> None:
    async with switchboard() as board, called(invited(), respond(180, "Ringing"), cancelled()) as callee:
        party = await board.dial(callee.uri)
        await party.expect(wire.Progress)
        party.leg.close(487, "no answer")
        closed = await party.closed()
        assert (closed.status, closed.by) == (487, "gateway")
        await callee.passed()


async def test_a_digest_challenge_behind_another_domain() -> None:
    """All of the first transaction goes to the trunk's address, although the URI names a domain."""
    async with switchboard() as board, called(invited(), challenged_by_proxy()) as callee:
        route = ("Route", f"<sip:127.0.0.1:{callee.port};lr>")
        party = await board.dial(
            "sip:+49305@pbx.example.invalid", headers=(route,), username="gw", password="s3cret"
        )
        assert (await party.closed()).status == 200
        await callee.passed()
        given, right = proxy_digest(callee.messages(), "gw", "s3cret")
        assert given == right
        assert "INVITE sip:+49305@pbx.example.invalid SIP/2.0" in callee.messages()


async def test_cancel_behind_another_domain() -> None:
    async with switchboard() as board, called(invited(), respond(180, "Ringing"), cancelled()) as callee:
        route = ("Route", f"<sip:127.0.0.1:{callee.port};lr>")
        party = await board.dial("sip:+49305@pbx.example.invalid", headers=(route,))
        await party.expect(wire.Progress)
        party.leg.close(487, "")
        await party.closed()
        await callee.passed()


async def test_a_host_that_does_not_exist() -> None:
    async with switchboard() as board:
        party = await board.dial("sip:op1@pbx.example.invalid")
        assert (await party.closed()).status == 503


async def test_a_transfer_through_the_edge() -> None:
    headers = ("Event: refer", "Subscription-State: terminated;reason=noresource")
    notify = request(
        "NOTIFY", 2, headers=headers, body="SIP/2.0 200 OK", content_type="message/sipfrag;version=2.0"
    )
    refer = receive("REFER", expect="Refer-To: .?sip:op2@192.0.2.9")
    steps = (
        invited(),
        answer(),
        refer,
        respond(202, "Accepted", tag=False),
        notify,
        receive_status(200),
        taken_bye(),
    )
    async with switchboard() as board, called(*steps) as callee:
        party = await board.dial(callee.uri)
        await party.expect(wire.Answered)
        party.leg.transfer("sip:op2@192.0.2.9")
        final = await party.expect(wire.TransferProgress, lambda event: event.final)
        assert final.status == 200
        party.leg.close(200, "")
        await party.closed()
        await callee.passed()


async def test_a_far_end_that_wants_to_transfer_us_is_declined() -> None:
    refer = request("REFER", 2, headers=("Refer-To: <sip:premium@192.0.2.9>",))
    async with (
        switchboard() as board,
        called(invited(), answer(), refer, receive_status(603), bye()) as callee,
    ):
        party = await board.dial(callee.uri)
        assert (await party.closed()).status == 200
        await callee.passed()
        assert board.counter("transfers_refused_total") == 1


async def test_a_card_that_dies_while_it_rings_leaves_a_cancel() -> None:
    async with switchboard() as board, called(invited(), respond(180, "Ringing"), cancelled()) as callee:
        party = await board.dial(callee.uri)
        await party.expect(wire.Progress)
        os.kill(board.card_pid(party.leg.address[0]), signal.SIGKILL)
        closed = await party.closed()
        assert (closed.status, closed.by) == (500, "card")
        await callee.passed()
        assert board.slots.live_calls == 0


async def test_a_card_that_dies_in_a_call_leaves_a_bye() -> None:
    async with switchboard() as board, called(invited(), answer(), taken_bye()) as callee:
        party = await board.dial(callee.uri)
        await party.expect(wire.Answered)
        os.kill(board.card_pid(party.leg.address[0]), signal.SIGKILL)
        assert (await party.closed()).by == "card"
        await callee.passed()


async def test_four_calls_come_in_while_one_goes_out() -> None:
    """The fifth slot is on a card that has to be started first, or is the spare one."""
    steps = (invited(), respond(180, "Ringing"), pause(500), answer(), taken_bye())
    async with switchboard(max_calls=5) as board, called(*steps) as callee:
        async with Sipp("held_call", board.port, calls=4, at_once=4) as callers:
            party = await board.dial(callee.uri)
            (await callers.result()).assert_passed()
        await party.expect(wire.Answered)
        party.leg.close(200, "")
        await callee.passed()
        assert len(board.incoming) == 4
        assert board.counter("calls_refused_busy_total") == 0


async def test_beyond_the_limit_nothing_is_placed() -> None:
    async with (
        switchboard(max_calls=1) as board,
        called(invited(), respond(180, "Ringing"), cancelled()) as callee,
    ):
        party = await board.dial(callee.uri)
        with pytest.raises(DialFailedError, match="all 1 calls") as caught:
            await board.dial(callee.uri)
        assert caught.value.retryable
        await party.expect(wire.Progress)
        party.leg.close(487, "")
        await callee.passed()


async def test_many_are_called_at_once() -> None:
    """Twice as many as one card holds: others are started for them."""
    steps = (invited(), respond(180, "Ringing"), answer(), taken_bye())
    async with switchboard(max_calls=12) as board, called(*steps, calls=8) as callee:
        parties = await asyncio.gather(*(board.dial(callee.uri) for _ in range(8)))
        for party in parties:
            await party.expect(wire.Answered)
        assert len({party.leg.address[0] for party in parties}) >= 2
        for party in parties:
            party.leg.close(200, "")
            await party.closed()
        await callee.passed()


@pytest.mark.needs("baresip")
async def test_baresip_answers_and_both_hear_each_other() -> None:
    async with switchboard() as board, Baresip(1000) as phone:
        party = await board.dial(f"sip:baresip@127.0.0.1:{phone.sip_port}")
        await party.expect(wire.Progress)
        await phone.command("accept")
        await party.expect(wire.Answered)
        party.say_tone(440, 2000)
        await party.expect(wire.PlayFinished)
        await party.hears(16000)
        party.leg.close(200, "")
        await party.closed()
        await phone.event("CALL_CLOSED")
        assert seconds_of_tone(party.heard(), 1000) >= 1.5
        assert seconds_of_tone(phone.heard(), 440) >= 1.5
