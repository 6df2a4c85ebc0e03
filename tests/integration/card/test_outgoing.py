"""Calls that a card places, as the one who is called (SIPp) and the core see them."""

from collections.abc import Callable

from gateway.core.ids import LegId
from gateway.wire import card as wire
from tests.integration.card.called import (
    answer,
    bye,
    called,
    cancelled,
    challenged,
    challenged_by_proxy,
    invited,
    proxy_digest,
    receive,
    respond,
    taken_bye,
)
from tests.integration.card.cards import Rack
from tests.integration.card.placing import dial, order
from tests.integration.card.raw_callee import RawCallee
from tests.integration.card.sipp import pause, sdp
from tests.integration.processes import free_sip_port


def _to(request: int) -> Callable[[wire.DialFailed], bool]:
    return lambda failed: failed.request == request


def _of(leg: LegId) -> Callable[[wire.LegClosed], bool]:
    return lambda closed: closed.leg == leg


async def test_a_call_rings_is_answered_and_hung_up_by_the_far_end(cards: Rack) -> None:
    steps = (
        invited("From: .Ann. .sip:.49301@example.org"),
        respond(180, "Ringing"),
        pause(200),
        answer(),
        pause(300),
        bye(),
    )
    async with called(*steps) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee, headers=(("X-Call", "ü 7"),))
        progress = await core.expect(wire.Progress)
        assert (progress.leg, progress.status, progress.reason, progress.early_media) == (
            leg,
            180,
            "Ringing",
            False,
        )
        await core.expect(wire.Answered, lambda m: m.leg == leg)
        media = await core.expect(wire.MediaChanged)
        assert (media.codec, media.ptime_ms, media.held) == ("PCMU", 20, False)
        closed = await core.expect(wire.LegClosed)
        assert (closed.leg, closed.status, closed.by) == (leg, 200, "far_end")
        await callee.passed()
        assert "X-Call: ü 7" in callee.messages()
        assert await cards.status(card.order.card, lambda s: not s.sip_call_ids, newer_than=1)


async def test_the_gateway_hangs_up(cards: Rack) -> None:
    async with called(invited(), answer(), taken_bye()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        await core.expect(wire.Answered)
        core.send(wire.Hangup(leg))
        closed = await core.expect(wire.LegClosed)
        assert (closed.status, closed.by) == (200, "gateway")
        await callee.passed()


async def test_a_refusal_keeps_its_status(cards: Rack) -> None:
    elsewhere = ("Contact: <sip:premium@127.0.0.1:9>",)
    for status, reason in ((486, "Busy Here"), (603, "Decline"), (404, "Not Found"), (302, "Moved")):
        headers = elsewhere if status == 302 else ()
        async with called(invited(), respond(status, reason, headers=headers), receive("ACK")) as callee:
            card = await cards.card(edge_port=callee.port)
            core = await card.core()
            leg = await dial(core, callee)
            closed = await core.expect(wire.LegClosed)
            assert (closed.leg, closed.status, closed.reason, closed.by) == (leg, status, reason, "far_end")
            await callee.passed()
            await core.close()


async def test_giving_up_while_it_rings(cards: Rack) -> None:
    async with called(invited(), respond(180, "Ringing"), cancelled()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        await core.expect(wire.Progress)
        core.send(wire.Hangup(leg))
        closed = await core.expect(wire.LegClosed)
        assert (closed.leg, closed.status, closed.by) == (leg, 487, "gateway")
        await callee.passed()


async def test_giving_up_before_anything_came(cards: Rack) -> None:
    """CANCEL has to wait for a provisional answer (RFC 3261 §9.1)."""
    async with called(invited(), pause(1500), respond(180, "Ringing"), cancelled()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        core.send(wire.Hangup(leg))
        closed = await core.expect(wire.LegClosed)
        assert (closed.leg, closed.status, closed.by) == (leg, 487, "gateway")
        await callee.passed()
        assert not core.of(wire.Progress)


async def test_an_answer_that_crosses_our_cancel_is_hung_up(cards: Rack) -> None:
    crossing = respond(200, "OK", body=sdp()).replace("[last_CSeq:]", "CSeq: [$number] INVITE")
    steps = (
        invited(),
        respond(180, "Ringing"),
        receive("CANCEL"),
        respond(200, "OK"),
        crossing,
        receive("ACK"),
        taken_bye(),
    )
    async with called(*steps) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        await core.expect(wire.Progress)
        core.send(wire.Hangup(leg))
        await core.expect(wire.LegClosed)
        await callee.passed()
        assert not core.of(wire.Answered)
        assert await cards.status(card.order.card, lambda s: not s.sip_call_ids, newer_than=1)


async def test_nobody_there(cards: Rack) -> None:
    async with called(invited()) as callee:
        card = await cards.card()
        core = await card.core()
        leg = await dial(core, callee)
        core.send(wire.Hangup(leg))
        closed = await core.expect(wire.LegClosed)
        assert (closed.status, closed.by) == (487, "gateway")


async def test_a_challenge_of_the_far_end_is_answered(cards: Rack) -> None:
    async with called(invited(), challenged("gw", "s3cret")) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        await dial(core, callee, username="gw", password="s3cret")
        closed = await core.expect(wire.LegClosed)
        assert (closed.status, closed.by) == (200, "far_end")
        await callee.passed()
        assert "s3cret" not in callee.messages()


async def test_a_challenge_of_a_proxy_is_answered(cards: Rack) -> None:
    async with called(invited(), challenged_by_proxy()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        await dial(core, callee, username="acme corp", password="a:b c")
        assert (await core.expect(wire.LegClosed)).status == 200
        await callee.passed()
        given, right = proxy_digest(callee.messages(), "acme corp", "a:b c")
        assert given == right


async def test_without_or_with_wrong_credentials_a_challenge_ends_the_call(cards: Rack) -> None:
    async with called(invited(), challenged("gw", "s3cret")) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee, username="gw", password="wrong")
        assert (await core.expect(wire.LegClosed, lambda m: m.leg == leg)).status == 403
        await callee.passed()
    async with called(invited(), respond(407, "Who"), receive("ACK"), port=callee.port) as again:
        leg = await dial(core, again)
        assert (await core.expect(wire.LegClosed, lambda m: m.leg == leg)).status == 407
        await again.passed()


async def test_each_call_has_its_own_credentials(cards: Rack) -> None:
    port = free_sip_port()
    card = await cards.card(edge_port=port)
    core = await card.core()
    for number in (1, 2, 3, 4, 5, 6, 1):
        async with called(invited(), challenged(f"user{number}", f"p{number}"), port=port) as callee:
            leg = await dial(core, callee, username=f"user{number}", password=f"p{number}")
            closed = await core.expect(wire.LegClosed, _of(leg))
            assert closed.status == 200
            await callee.passed()
    assert card.alive()


async def test_early_media_is_told_of_and_heard(cards: Rack) -> None:
    steps = (
        invited(),
        respond(183, "Session Progress", body=sdp()),
        pause(1500),
        answer(),
        pause(300),
        bye(),
    )
    async with called(*steps) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        progress = await core.expect(wire.Progress)
        assert (progress.status, progress.early_media) == (183, True)
        assert core.of(wire.MediaChanged)
        await core.until(lambda: len(core.heard[leg]) > 3200)
        assert not core.of(wire.Answered)
        await core.expect(wire.LegClosed)
        await callee.passed()
        assert len(core.of(wire.Progress)) == 1


async def test_every_provisional_answer_is_told(cards: Rack) -> None:
    steps = (
        invited(),
        respond(100, "Trying", tag=False),
        respond(180, "Ringing"),
        pause(100),
        respond(181, "Call Is Being Forwarded"),
        pause(100),
        respond(183, "Session Progress", body=sdp()),
        pause(100),
        answer(),
        bye(),
    )
    async with called(*steps) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        await dial(core, callee)
        await core.expect(wire.LegClosed)
        found = [(m.status, m.early_media) for m in core.of(wire.Progress)]
        assert found == [(180, False), (181, False), (183, True)]
        await callee.passed()


async def test_what_is_no_call_is_refused_and_the_card_lives(cards: Rack) -> None:
    async with called(invited(), answer(), bye()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        bad: tuple[dict[str, object], ...] = (
            {"target_uri": "nonsense"},
            {"target_uri": ""},
            {"target_uri": "sip:a@b>\r\nX: y"},
            {"target_uri": "sip:" + "a" * 300 + "@127.0.0.1"},
            {"from_uri": "x <<>"},
            {"from_uri": "sip:" + "a" * 300 + "@127.0.0.1"},
            {"headers": (("X", "a\r\nb"),)},
            {"headers": (("X", "a" * 2000),)},
            {"sip_call_id": "a\nb"},
        )
        for values in bad:
            message = order(callee, **values)
            core.send(message)
            failed = await core.expect(wire.DialFailed, _to(message.request))
            assert failed.status in (400, 500), values
        leg = await dial(core, callee)
        assert (await core.expect(wire.LegClosed)).leg == leg
        await callee.passed()
        assert not core.of(wire.Progress)


async def test_a_full_card_places_no_call(cards: Rack) -> None:
    async with called(invited(), respond(180, "Ringing"), cancelled(), calls=4) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        legs = [await dial(core, callee) for _ in range(4)]
        message = order(callee)
        core.send(message)
        failed = await core.expect(wire.DialFailed, lambda m: m.request == message.request)
        assert (failed.status, failed.reason) == (503, "the card is full")
        await core.until(lambda: len(core.of(wire.Progress)) == 4)
        for leg in legs:
            core.send(wire.Hangup(leg))
        await core.until(lambda: len(core.of(wire.LegClosed)) == 4)
        await callee.passed()


async def test_a_new_core_is_shown_the_call_that_is_being_placed(cards: Rack) -> None:
    async with called(invited(), respond(180, "Ringing"), cancelled()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        await core.expect(wire.Progress)
        core.send(wire.Keep(leg, b"kept"))
        await core.round_trip()
        await core.close()
        successor = await card.core()
        (snapshot,) = successor.of(wire.Snapshot)
        (entry,) = snapshot.legs
        assert (entry.outbound, entry.state, entry.kept) == (True, "ringing", b"kept")
        assert (entry.incoming.leg, entry.incoming.to_header) == (leg, callee.uri)
        successor.send(wire.Hangup(leg))
        assert (await successor.expect(wire.LegClosed)).status == 487
        await callee.passed()


async def test_an_answer_without_or_with_unfit_sdp_ends_the_call(cards: Rack) -> None:
    for body in ("", sdp(("96", ("96 opus/48000/2",)))):
        acknowledged = receive("ACK").replace(">", ' optional="true">', 1)
        steps = (invited(), respond(200, "OK", body=body), acknowledged, taken_bye())
        async with called(*steps) as callee:
            card = await cards.card(edge_port=callee.port)
            core = await card.core()
            await dial(core, callee)
            await core.expect(wire.LegClosed)
            await callee.passed()
            assert card.alive()


async def test_sdp_after_some_that_was_unfit_does_not_end_the_card(cards: Rack) -> None:
    """PJSIP would abort; so it does not see the second."""
    async with RawCallee() as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        invite = await callee.received("INVITE")
        unfit = callee.sdp.replace("RTP/AVP 0", "RTP/AVP 96").replace("0 PCMU/8000", "96 opus/48000/2")
        callee.send(invite.response(183, "Session Progress", body=unfit))
        for status in (181, 183, 200):
            callee.send(invite.response(status, "Again", body=callee.sdp))
        cancel = await callee.received("CANCEL")
        callee.send(cancel.response(200, "OK"))
        callee.send(invite.response(487, "Request Terminated"))
        closed = await core.expect(wire.LegClosed)
        assert closed.leg == leg
        assert card.alive()
        assert not core.of(wire.Answered)


async def test_commands_for_incoming_calls_are_refused(cards: Rack) -> None:
    async with called(invited(), respond(180, "Ringing"), cancelled()) as callee:
        card = await cards.card(edge_port=callee.port)
        core = await card.core()
        leg = await dial(core, callee)
        await core.expect(wire.Progress)
        core.send(wire.Ring(leg))
        core.send(wire.Answer(leg))
        core.send(wire.Reject(leg, 486, "Busy Here"))
        core.send(wire.Hold(leg, True))
        core.send(wire.Transfer(leg, "sip:x@y"))
        await core.until(lambda: len(core.of(wire.Refused)) == 5)
        core.send(wire.Hangup(leg))
        await core.expect(wire.LegClosed)
        await callee.passed()
