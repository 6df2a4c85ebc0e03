"""What a SIP far end sees of a card, and what the core is told: SIPp against a real card."""

import asyncio
import time

from gateway.core.ids import LegId
from gateway.wire import card as wire
from tests.integration.card.cards import Rack
from tests.integration.card.core import StandInCore, auto_answer
from tests.integration.card.sipp import (
    UNKNOWN_CODEC,
    Outcome,
    ack_refusal,
    invite,
    pause,
    receive,
    receive_request,
    run_sipp,
    sdp,
    send,
)

BYE = [send("BYE", 9), receive(200)]


def answered(*middle: str, offer: str | None = None, headers: tuple[str, ...] = ()) -> list[str]:
    """A call that is answered, with something in the middle."""
    return [invite(sdp() if offer is None else offer, headers=headers), receive(200), send("ACK"), *middle]


def passed(outcome: Outcome) -> None:
    assert outcome.status == 0, outcome.output


async def test_a_call_is_offered_rung_answered_and_hung_up_by_the_far_end(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    headers = ("X-Gateway-Peer: tcp:192.0.2.7:5071", "X-Gateway-Received: 12.5", "Subject: Grüße, zäh")
    steps = answered(pause(300), *BYE, headers=headers)
    steps[0] = steps[0].replace(receive(180, optional=True), receive(180))
    far_end = asyncio.create_task(run_sipp(card.sip_port, steps))
    incoming = await core.expect(wire.Incoming)
    assert incoming.peer == "tcp:192.0.2.7:5071"
    assert incoming.received_at_s == 12.5
    assert incoming.request_uri == f"sip:gw@127.0.0.1:{card.sip_port}"
    assert incoming.from_header.startswith('"Ann" <sip:ann@127.0.0.1')
    names = [name for name, _ in incoming.headers]
    assert names[:2] == ["Via", "CSeq"]
    assert not any(name.startswith("X-Gateway") for name in names)
    assert dict(incoming.headers)["Subject"] == "Grüße, zäh"
    busy = await cards.status(card.order.card, lambda s: bool(s.sip_call_ids))
    assert busy.sip_call_ids == (incoming.sip_call_id,)
    core.send(wire.Ring(incoming.leg))
    core.send(wire.Answer(incoming.leg))
    media = await core.expect(wire.MediaChanged)
    assert (media.codec, media.clock_rate_hz, media.ptime_ms, media.srtp, media.held) == (
        "PCMU",
        8000,
        20,
        False,
        False,
    )
    closed = await core.expect(wire.LegClosed)
    assert (closed.status, closed.by) == (200, "far_end")
    passed(await far_end)
    assert await cards.status(
        card.order.card, lambda s: not s.sip_call_ids, newer_than=len(cards.statuses) - 1
    )


async def test_the_gateway_hangs_up(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    far_end = asyncio.create_task(run_sipp(card.sip_port, answered(receive_request("BYE"))))
    answer = await core.expect(wire.Answered)
    await core.until(lambda: len(core.ticks) > 5)
    core.send(wire.Hangup(answer.leg))
    closed = await core.expect(wire.LegClosed)
    assert (closed.status, closed.by) == (200, "gateway")
    passed(await far_end)


async def test_a_slot_is_free_only_when_the_far_end_has_confirmed_the_bye(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    late = receive_request("BYE").replace("<send>", pause(700) + "<send>")
    far_end = asyncio.create_task(run_sipp(card.sip_port, answered(late)))
    answer = await core.expect(wire.Answered)
    await core.until(lambda: len(core.ticks) > 5)
    seen, hung_up_at = len(cards.statuses), time.monotonic()
    core.send(wire.Hangup(answer.leg))
    await cards.status(card.order.card, lambda s: not s.sip_call_ids, newer_than=seen)
    assert time.monotonic() - hung_up_at > 0.65
    passed(await far_end)


async def test_the_gateway_refuses(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    refused = [invite(sdp()), receive(404, expect="X-Why: lost"), ack_refusal()]
    far_end = asyncio.create_task(run_sipp(card.sip_port, refused))
    incoming = await core.expect(wire.Incoming)
    core.send(wire.Reject(incoming.leg, 404, "Nobody Here", (("X-Why", "lost"),)))
    closed = await core.expect(wire.LegClosed)
    assert (closed.status, closed.reason, closed.by) == (404, "Nobody Here", "gateway")
    passed(await far_end)


async def test_no_common_codec_is_488_and_not_offered(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    refused = [invite(sdp(UNKNOWN_CODEC)), receive(488), ack_refusal()]
    passed(await run_sipp(card.sip_port, refused))
    passed(await run_sipp(card.sip_port, answered(pause(100), *BYE)))
    assert len(core.of(wire.Answered)) == 1


async def test_sdes_srtp_is_accepted_when_offered(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
    offer = sdp().replace("RTP/AVP", "RTP/SAVP") + "\n" + key
    steps = [
        invite(offer),
        receive(200, expect="RTP/SAVP 0.*a=crypto:1 AES_CM_128_HMAC_SHA1_80"),
        send("ACK"),
        pause(200),
    ]
    passed(await run_sipp(card.sip_port, [*steps, *BYE]))
    assert (await core.expect(wire.MediaChanged)).srtp


async def test_a_request_of_more_than_1300_bytes_goes_by_udp(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    route = f"Record-Route: <sip:127.0.0.1:5060;lr;x={'y' * 100}>".replace(":5060", ":[local_port]")
    steps = answered(receive_request("BYE"), headers=(route,) * 14)
    far_end = asyncio.create_task(run_sipp(card.sip_port, steps))
    answer = await core.expect(wire.Answered)
    await core.until(lambda: len(core.ticks) > 5)
    core.send(wire.Hangup(answer.leg))
    assert (await core.expect(wire.LegClosed)).reason != "BYE not answered yet"
    passed(await far_end)


async def test_late_offer(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    offered = "m=audio [0-9]+ RTP/AVP 0 8 9 3 [0-9]+ [0-9]+"
    steps = [invite(""), receive(200, expect=offered), send("ACK", body=sdp()), pause(400), *BYE]
    passed(await run_sipp(card.sip_port, steps))
    media = await core.expect(wire.MediaChanged)
    assert media.codec == "PCMU"
    assert len(core.ticks) > 5


async def test_cancel_while_ringing(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    steps = [
        send("INVITE", body=sdp(), in_dialog=False),
        receive(100, optional=True),
        receive(180),
        send("CANCEL", in_dialog=False).replace("branch=[branch]", "branch=[branch-3]"),
        receive(200),
        receive(487),
        ack_refusal(),
    ]
    far_end = asyncio.create_task(run_sipp(card.sip_port, steps))
    incoming = await core.expect(wire.Incoming)
    core.send(wire.Ring(incoming.leg))
    closed = await core.expect(wire.LegClosed)
    assert (closed.status, closed.by) == (487, "far_end")
    passed(await far_end)


async def test_early_media_is_played_before_a_refusal_and_before_an_answer(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    offer = [invite(sdp()), receive(183, expect="m=audio")]
    refused = asyncio.create_task(run_sipp(card.sip_port, [*offer, receive(404), ack_refusal()]))
    incoming = await core.expect(wire.Incoming)
    core.send(wire.Ring(incoming.leg))
    core.send(wire.Ring(incoming.leg, early_media=True))
    core.play(incoming.leg, bytes(2 * 8 * 300), 1, last=True)
    await core.expect(wire.PlayStarted)
    assert (await core.expect(wire.PlayFinished)).played_ms == 300
    assert core.of(wire.Answered) == []
    core.send(wire.Reject(incoming.leg, 404, "Not Found"))
    passed(await refused)
    await core.expect(wire.LegClosed)

    steps = [*offer, receive(200), send("ACK"), *BYE]
    answered_later = asyncio.create_task(run_sipp(card.sip_port, steps))
    leg = (await core.expect(wire.Incoming, lambda message: message.leg != incoming.leg)).leg
    core.send(wire.Ring(leg, early_media=True))
    core.play(leg, bytes(2 * 8 * 100), 2, last=True)
    await core.expect(wire.PlayFinished, lambda message: message.leg == leg)
    core.send(wire.Answer(leg))
    await core.expect(wire.Answered)
    passed(await answered_later)


async def test_the_far_end_holds_and_resumes(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    middle = []
    for cseq, direction, answer in (
        (2, "sendonly", "recvonly"),
        (4, "inactive", "inactive"),
        (6, "sendrecv", "sendrecv"),
    ):
        middle += [
            invite(sdp(direction=direction), cseq, in_dialog=True),
            receive(200, expect=f"a={answer}"),
            send("ACK", cseq),
            pause(100),
        ]
    passed(await run_sipp(card.sip_port, answered(*middle, *BYE)))
    assert [m.held for m in core.of(wire.MediaChanged)] == [False, True, True, False]


async def test_update_is_answered_and_refer_is_refused(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    middle = [
        *(send("UPDATE", 2), receive(200)),
        *(send("REFER", 4, headers=("Refer-To: <sip:127.0.0.1:9>",)), receive(603)),
    ]
    passed(await run_sipp(card.sip_port, answered(*middle, *BYE)))
    assert len(core.of(wire.Incoming)) == 1


async def test_digits_by_info(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    relay = "application/dtmf-relay"
    middle = [
        *(send("INFO", 2, body="Signal=5\nDuration=160", content_type=relay), receive(200)),
        *(send("INFO", 3, body="Signal=#\nDuration=100", content_type=relay), receive(200)),
        *(send("INFO", 4, body="Signal=7", content_type=relay), receive(200)),
        pause(100),
    ]
    middle[4] = middle[4].replace("Signal=7\n", "Signal=7")
    passed(await run_sipp(card.sip_port, answered(*middle, *BYE)))
    digits = [(d.digit, d.duration_ms, d.method) for d in core.of(wire.Dtmf)]
    assert digits == [("5", 160, "info"), ("#", 100, "info"), ("7", 0, "info")]


async def test_bye_before_ack(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    passed(await run_sipp(card.sip_port, [invite(sdp()), receive(200), *BYE]))
    closed = await core.expect(wire.LegClosed)
    assert closed.by == "far_end"


async def test_a_fifth_call_is_486(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    four = asyncio.create_task(run_sipp(card.sip_port, answered(receive_request("BYE")), calls=4, rate=50))
    await core.until(lambda: len(core.of(wire.Answered)) == 4)
    busy = [invite(sdp()), receive(486), ack_refusal()]
    passed(await run_sipp(card.sip_port, busy))
    for answer in core.of(wire.Answered):
        core.send(wire.Hangup(answer.leg))
    passed(await four)
    assert len(core.of(wire.LegClosed)) == 4


async def test_without_a_core_a_call_is_503(cards: Rack) -> None:
    card = await cards.card()
    refused = [invite(sdp()), receive(503, expect="Retry-After"), ack_refusal()]
    passed(await run_sipp(card.sip_port, refused))
    unattached = await card.core(attach=False)
    passed(await run_sipp(card.sip_port, refused))
    assert not unattached.of(wire.Incoming)


async def test_commands_that_cannot_be_carried_out_are_refused(cards: Rack) -> None:
    card = await cards.card()
    core: StandInCore = await card.core()
    auto_answer(core)
    far_end = asyncio.create_task(run_sipp(card.sip_port, answered(receive_request("BYE"))))
    leg = (await core.expect(wire.Answered)).leg
    core.send(wire.Answer(leg))
    core.send(wire.Reject(leg, 486, "Busy Here"))
    core.send(wire.SendDtmf(leg, "12x"))
    core.send(wire.Flush(LegId(99), 1))
    await core.until(lambda: len(core.of(wire.Refused)) == 4)
    assert [(r.leg, r.command) for r in core.of(wire.Refused)] == [
        (leg, "Answer"),
        (leg, "Reject"),
        (leg, "SendDtmf"),
        (99, "Flush"),
    ]
    core.send(wire.Hangup(leg))
    passed(await far_end)
