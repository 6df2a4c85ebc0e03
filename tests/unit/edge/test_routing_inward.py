"""What comes from the outside: calls, dialogs, refusals."""

import pytest

from gateway.core.ids import CardId
from gateway.edge.board import CARD_PACKET_BYTES, Admission
from gateway.edge.commands import SendOutside
from gateway.edge.inward import PARK_S
from gateway.edge.message import parse
from gateway.edge.records import LINGER_S
from gateway.edge.retransmit import GIVE_UP_S
from gateway.edge.syntax import address_uri, param, tag_of
from tests.unit.edge.stage import (
    INNER_PORT,
    PHONE,
    PUBLIC,
    TCP_PHONE,
    Stage,
    all_outside,
    invite,
    request,
    response,
    to_card,
    to_outside,
)


def _status(stage: Stage, data: bytes) -> int:
    return to_outside(stage.outside(data))[1].status


def test_an_invite_goes_to_a_card_with_both_sides_recorded() -> None:
    stage = Stage()
    card, got = stage.call()
    vias = got.all(b"via")
    assert vias[0].startswith(b"SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK" % INNER_PORT)
    assert param(vias[1], b"received") == b"192.0.2.7"
    assert param(vias[1], b"rport") == b"5062"
    assert got.all(b"record-route") == [
        b"<sip:127.0.0.1:%d;lr;c=%d>" % (INNER_PORT, card),
        b"<sip:%s:5060;lr;c=%d>" % (PUBLIC.encode(), card),
    ]
    assert got.get(b"max-forwards") == b"69"
    assert got.get(b"x-gateway-peer") == b"udp:192.0.2.7:5062"
    assert got.get(b"x-gateway-received") == b"1000.000000"


def test_over_tcp_the_record_route_says_so() -> None:
    _, got = Stage().call(flow=TCP_PHONE)
    assert got.all(b"record-route")[1].startswith(b"<sip:%s:5060;transport=tcp;lr" % PUBLIC.encode())
    assert got.get(b"x-gateway-peer") == b"tcp:192.0.2.7:33333"


def test_our_private_headers_are_not_believed() -> None:
    forged = invite(headers="X-Gateway-Peer: udp:6.6.6.6:6\r\nx-gateway-received : 5\r\n")
    _, got = to_card(Stage().outside(forged))
    assert got.all(b"x-gateway-peer") == [b"udp:192.0.2.7:5062"]
    assert got.all(b"x-gateway-received") == [b"1000.000000"]


def test_a_forged_received_is_overwritten() -> None:
    forged = invite().replace(b";rport;", b";received=6.6.6.6;rport=6;")
    _, got = to_card(Stage().outside(forged))
    assert got.all(b"via")[1].count(b"received=") == 1
    assert param(got.all(b"via")[1], b"received") == b"192.0.2.7"
    assert param(got.all(b"via")[1], b"rport") == b"5062"


def test_a_retransmission_goes_the_same_way_and_is_no_second_call() -> None:
    stage = Stage()
    card, got = stage.call()
    again_card, again = stage.call()
    assert again_card == card
    assert again.all(b"via") == got.all(b"via")
    assert stage.slots.live_calls == 1
    stage.answered()
    assert stage.call()[0] == card
    assert stage.slots.live_calls == 1


def test_cancel_and_the_ack_of_a_failure_carry_the_branch_of_their_invite() -> None:
    stage = Stage()
    card, got = stage.call()
    branch = param(got.all(b"via")[0], b"branch")
    cancel_card, cancel = to_card(stage.outside(request("CANCEL")))
    ack_card, ack = to_card(stage.outside(request("ACK", to_tag="card")))
    assert cancel_card == ack_card == card
    assert param(cancel.all(b"via")[0], b"branch") == param(ack.all(b"via")[0], b"branch") == branch
    assert (
        param(to_card(stage.outside(request("BYE", to_tag="card", cseq=2)))[1].all(b"via")[0], b"branch")
        != branch
    )


def test_requests_of_a_dialog_go_to_its_card_without_routes() -> None:
    stage = Stage()
    card, ok = stage.answered()
    routes = "".join(f"Route: {route.decode()}\r\n" for route in reversed(ok.all(b"record-route")))
    for method in ("ACK", "INFO", "INVITE", "UPDATE", "BYE", "OPTIONS"):
        got_card, got = to_card(stage.outside(request(method, to_tag="card", cseq=2, headers=routes)))
        assert (got_card, got.method) == (card, method.encode())
        assert got.all(b"route") == []
        assert got.all(b"record-route") == []


def test_requests_of_a_dialog_find_their_card_without_routes_too() -> None:
    stage = Stage()
    card, _ = stage.answered()
    assert to_card(stage.outside(request("BYE", to_tag="card", cseq=2)))[0] == card


def test_the_card_named_in_the_contact_is_enough() -> None:
    stage = Stage()
    bye = request("BYE", "unheard-of", uri=f"sip:100@{PUBLIC}:5060;c=1", to_tag="card")
    assert to_card(stage.outside(bye))[0] == 1
    nowhere = request("BYE", "unheard-of", uri=f"sip:100@{PUBLIC}:5060;c=7", to_tag="card")
    assert _status(stage, nowhere) == 481


def test_a_late_request_still_finds_its_card_for_a_while() -> None:
    stage = Stage()
    card, _ = stage.answered()
    bye = request("BYE", to_tag="card", cseq=2)
    stage.outside(bye)
    stage.report(card)
    assert stage.slots.live_calls == 0
    stage.turn(LINGER_S - 1.0)
    assert to_card(stage.outside(bye))[0] == card
    stage.turn(2.0)
    assert _status(stage, bye) == 481


def test_an_ended_call_id_may_be_used_again() -> None:
    stage = Stage()
    card, got = stage.call()
    to_outside(stage.inside(card, response(got, 488, "Not Acceptable Here", card=card)))
    assert stage.slots.live_calls == 0
    again = invite().replace(b"CSeq: 1", b"CSeq: 2").replace(b"c1-1", b"c1-2")
    to_card(stage.outside(again))
    assert stage.slots.live_calls == 1


def test_the_same_call_on_another_way_is_a_loop() -> None:
    stage = Stage()
    stage.call()
    assert _status(stage, invite(branch="z9hG4bKother")) == 482


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("REGISTER"), 405),
        (request("SUBSCRIBE"), 405),
        (request("MESSAGE"), 405),
        (request("REFER"), 405),
        (request("FETCH"), 501),
        (request("BYE"), 481),
        (request("CANCEL"), 481),
        (request("UPDATE"), 481),
        (request("BYE", to_tag="x"), 481),
        (request("INVITE", to_tag="x"), 481),
        (request("SUBSCRIBE", to_tag="x"), 481),
        (request("OPTIONS"), 200),
        (request("INVITE", uri="sips:100@gw"), 416),
        (request("INVITE", uri="http://gw"), 416),
        (request("INVITE", uri="sip:"), 400),
        (request("INVITE", uri="sip:" + "1" * 250 + "@gw"), 414),
        (request("INVITE", headers="Proxy-Require: a, b\r\n"), 420),
        (request("INVITE").replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), 483),
        (request("INVITE").replace(b"Max-Forwards: 70", b"Max-Forwards: x"), 400),
        (request("INVITE").replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1), 505),
        (request("INVITE").replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"), 400),
        (request("INVITE", headers="X: " + "y" * CARD_PACKET_BYTES + "\r\n"), 513),
        (request("INVITE", headers="Record-Route: <sip:p;lr>\r\n" * 100), 513),
    ],
)
def test_what_is_refused_and_how(data: bytes, status: int) -> None:
    stage = Stage()
    flow, answer = to_outside(stage.outside(data))
    assert (flow, answer.status) == (PHONE, status)
    assert tag_of(answer.get(b"to") or b"")
    assert answer.all(b"via")[0].startswith(b"SIP/2.0/UDP 10.9.9.9:5099")
    assert stage.slots.live_calls == 0
    assert to_outside(stage.outside(data))[1].get(b"to") == answer.get(b"to")


@pytest.mark.parametrize(
    "data",
    [
        request("ACK"),
        request("ACK", to_tag="x"),
        request("ACK", uri="sips:x"),
        request("ACK").replace(b"Max-Forwards: 70", b"Max-Forwards: 0"),
        request("ACK").replace(b"CSeq: 1 ACK", b"CSeq: 1 BYE"),
        b"\r\n\r\n",
        b"\0",
        b"rubbish",
        request("INVITE").replace(b"Via: SIP/2.0", b"Via: SAP/2.0"),
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 1.2.3.4\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: 1 A\r\n\r\n",
    ],
)
def test_what_is_never_answered(data: bytes) -> None:
    stage = Stage()
    assert stage.outside(data) == []
    assert stage.slots.live_calls == 0


def test_without_rport_the_answer_goes_to_the_port_of_the_via() -> None:
    flow, _ = to_outside(Stage().outside(request("OPTIONS").replace(b";rport;", b";")))
    assert flow == PHONE._replace(port=5099)


def test_tel_uris_are_served() -> None:
    to_card(Stage().outside(request("INVITE", uri="tel:+4930123456")))


def test_exactly_max_calls_then_503() -> None:
    stage = Stage(max_calls=3)
    for number in range(3):
        stage.call(f"c{number}")
    flow, answer = to_outside(stage.outside(invite("one-more")))
    assert (flow, answer.status) == (PHONE, 503)
    assert answer.get(b"retry-after") == b"2"
    assert stage.router.counters["calls_refused_busy_total"] == 1


@pytest.mark.parametrize("admission", [Admission.NOT_READY, Admission.DRAINING])
def test_no_new_calls_while_not_open_but_old_ones_go_on(admission: Admission) -> None:
    stage = Stage()
    card, _ = stage.answered()
    stage.router.admission = admission
    refused = to_outside(stage.outside(invite("new")))[1]
    assert refused.status == 503
    assert refused.get(b"retry-after") == (b"1" if admission is Admission.NOT_READY else b"30")
    assert _status(stage, request("OPTIONS", "o")) == 503
    assert to_card(stage.outside(request("BYE", to_tag="card", cseq=2)))[0] == card
    assert to_card(stage.outside(invite()))[0] == card


def test_an_invite_waits_for_a_card() -> None:
    stage = Stage(cards=0)
    assert _status(stage, invite()) == 100
    assert stage.router.parked == 1
    assert _status(stage, invite()) == 100
    stage.slots.card_ordered(CardId(0), stage.now)
    stage.now += 0.4
    card, got = to_card(stage.report(0))
    assert card == 0
    assert got.get(b"x-gateway-received") == b"1000.000000"
    assert stage.router.parked == 0


def test_a_call_that_had_to_wait_gets_one_100() -> None:
    stage = Stage(cards=0)
    stage.outside(invite())
    stage.slots.card_ordered(CardId(0), stage.now)
    _, got = to_card(stage.report(0))
    assert stage.inside(0, response(got, 100, "Trying")) == []
    assert to_outside(stage.inside(0, response(got, 180, "Ringing")))[1].status == 180
    _, other = stage.call("c2")
    assert to_outside(stage.inside(0, response(other, 100, "Trying")))[1].status == 100


def test_it_does_not_wait_for_ever() -> None:
    stage = Stage(cards=0)
    stage.outside(invite())
    assert stage.turn(PARK_S - 0.01) == []
    answers = all_outside(stage.turn(0.02))
    assert [answer.status for _, answer in answers] == [503]
    assert stage.router.parked == 0


def test_the_refusal_of_a_parked_call_is_repeated_until_its_ack() -> None:
    stage = Stage(cards=0)
    stage.outside(invite())
    stage.turn(PARK_S)
    assert len(stage.turn(4.0)) == 3
    assert stage.outside(request("ACK", to_tag="whatever")) == []
    assert stage.turn(GIVE_UP_S) == []


def test_a_parked_call_can_be_cancelled() -> None:
    stage = Stage(cards=0)
    stage.outside(invite())
    answers = all_outside(stage.outside(request("CANCEL")))
    assert [(answer.status, answer.cseq_method) for _, answer in answers] == [
        (200, b"CANCEL"),
        (487, b"INVITE"),
    ]
    assert stage.router.parked == 0
    assert stage.slots.live_calls == 0


def test_parked_calls_count_towards_the_limit() -> None:
    stage = Stage(cards=0, max_calls=2)
    assert [_status(stage, invite(f"c{number}")) for number in range(3)] == [100, 100, 503]


def test_a_slot_nobody_took_up_comes_back() -> None:
    stage = Stage(max_calls=1)
    stage.call()
    assert _status(stage, invite("c2")) == 503
    stage.turn(11.0)
    stage.call("c3")


def test_the_head_of_an_oversized_message_gets_513() -> None:
    head = request("INVITE").replace(b"Content-Length: 0", b"Content-Length: 99999")
    _, answer = to_outside(Stage().router.handle_oversized(head, TCP_PHONE))
    assert answer.status == 513
    assert Stage().router.handle_oversized(b"rubbish", TCP_PHONE) == []


def test_every_message_the_edge_writes_is_well_formed() -> None:
    stage = Stage(max_calls=1)
    stage.call()
    for data in (invite("x"), request("OPTIONS", "y"), request("REGISTER", "z"), request("BYE", "w")):
        for command in stage.outside(data):
            assert isinstance(command, SendOutside)
            assert parse(command.data).get(b"server") == b"gw"


def test_listening_on_all_interfaces_the_record_route_names_the_one_facing_the_peer() -> None:
    _, got = Stage(listen="0.0.0.0").call()
    assert address_uri(got.all(b"record-route")[1]).startswith(b"sip:10.1.0.1:5060")
