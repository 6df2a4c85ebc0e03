"""What comes from the cards: responses, requests of their own, and the death of a card."""

import pytest

from gateway.core.ids import CardId
from gateway.edge.commands import Flow
from gateway.edge.message import SipMessage
from gateway.edge.replies import LINE_FAILURE
from gateway.edge.retransmit import GIVE_UP_S
from gateway.edge.syntax import address_uri, param
from gateway.edge.teardown import BYE_CSEQ
from tests.unit.edge.stage import (
    PHONE,
    PUBLIC,
    SDP,
    TCP_PHONE,
    Stage,
    card_request,
    invite,
    request,
    response,
    to_card,
    to_outside,
    to_resolve,
)

_PUBLIC = PUBLIC.encode()


def test_a_response_goes_back_to_the_source_with_our_public_face() -> None:
    stage = Stage()
    card, got = stage.call()
    flow, ok = to_outside(stage.inside(card, response(got, 200, "OK", card=card)))
    assert flow == PHONE
    assert [via.split(b";")[0] for via in ok.all(b"via")] == [b"SIP/2.0/UDP 10.9.9.9:5099"]
    assert ok.get(b"contact") == b"<sip:100@%s:5060;c=%d>" % (_PUBLIC, card)
    assert b"c=IN IP4 " + _PUBLIC in ok.body
    assert b"127.0.0.1" not in ok.body
    assert int(ok.get(b"content-length") or b"") == len(ok.body) != len(SDP)


def test_over_tcp_it_goes_back_on_the_connection() -> None:
    stage = Stage()
    card, got = stage.call(flow=TCP_PHONE)
    flow, ok = to_outside(stage.inside(card, response(got, 200, "OK", card=card)))
    assert flow == TCP_PHONE
    assert b";transport=tcp;c=" in (ok.get(b"contact") or b"")


def test_the_contact_of_a_redirection_stays() -> None:
    stage = Stage()
    card, got = stage.call()
    moved = response(got, 302, "Moved", card=card).replace(
        b"Content-Length", b"Contact: <sip:x@127.0.0.1>\r\nContent-Length"
    )
    assert to_outside(stage.inside(card, moved))[1].get(b"contact") == b"<sip:x@127.0.0.1>"


def test_only_cards_are_listened_to_inside() -> None:
    stage = Stage()
    card, got = stage.call()
    assert stage.inside(card + 50, response(got, 200, "OK")) == []
    assert stage.inside(card, b"rubbish") == []


def test_a_response_that_is_not_to_our_request_goes_nowhere() -> None:
    stage = Stage()
    card, got = stage.call()
    forged = response(got, 200, "OK", card=card).replace(b"z9hG4bKc1-1", b"z9hG4bKelse")
    assert stage.inside(card, forged) == []


def test_an_in_dialog_request_goes_where_the_phone_sends_from() -> None:
    stage = Stage()
    card, ok = stage.answered()
    routes = tuple(ok.all(b"record-route"))
    flow, bye = to_outside(stage.inside(card, card_request("BYE", card=card, routes=routes)))
    assert flow == PHONE
    assert bye.all(b"route") == []
    assert bye.all(b"via")[0].startswith(b"SIP/2.0/UDP %s:5060;rport;branch=" % _PUBLIC)
    assert bye.get(b"contact") == b"<sip:100@%s:5060;c=%d>" % (_PUBLIC, card)


def test_behind_a_proxy_it_goes_by_the_contact_or_the_route() -> None:
    stage = Stage()
    via = "Via: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKp\r\n"
    proxied = invite().replace(b"Via: ", via.encode() + b"Via: ", 1)
    card, got = to_card(stage.outside(proxied))
    to_outside(stage.inside(card, response(got, 200, "OK", card=card)))
    bye = card_request("BYE", card=card, uri="sip:alice@198.51.100.44:5066")
    assert to_outside(stage.inside(card, bye))[0] == Flow("udp", 0, 0, "198.51.100.44", 5066)
    routed = card_request("BYE", card=card, routes=(b"<sip:198.51.100.9:5080;lr>",))
    assert to_outside(stage.inside(card, routed))[0] == Flow("udp", 0, 0, "198.51.100.9", 5080)


def test_over_tcp_it_uses_the_open_connection_else_a_new_one() -> None:
    stage = Stage()
    stage.router.handle_connected(TCP_PHONE.connection)
    card, _ = stage.answered(flow=TCP_PHONE)
    bye = card_request("BYE", card=card, uri="sip:alice@192.0.2.7:5099;transport=tcp")
    assert to_outside(stage.inside(card, bye))[0] == TCP_PHONE
    stage.router.handle_disconnected(TCP_PHONE.connection)
    assert to_outside(stage.inside(card, bye))[0] == Flow("tcp", 1, 0, "192.0.2.7", 5099)


def _placed(stage: Stage) -> SipMessage:
    data = card_request("INVITE", "out", uri="sip:bob@198.51.100.5", to_tag="", cseq=1, body=SDP)
    flow, sent = to_outside(stage.inside(0, data))
    assert flow == Flow("udp", 0, 0, "198.51.100.5", 5060)
    return sent


def test_a_call_placed_by_a_card() -> None:
    stage = Stage()
    sent = _placed(stage)
    assert stage.slots.live_calls == 1
    assert b"c=IN IP4 " + _PUBLIC in sent.body
    assert sent.all(b"record-route")[0] == b"<sip:%s:5060;lr;c=0>" % _PUBLIC
    callee = Flow("udp", 0, 0, "198.51.100.5", 5060)
    card, ok = to_card(stage.outside(response(sent, 200, "OK"), callee))
    assert card == 0
    assert [via.split(b";")[0] for via in ok.all(b"via")] == [b"SIP/2.0/UDP 127.0.0.1:6000"]
    bye = request("BYE", "out", to_tag="card", cseq=9)
    assert to_card(stage.outside(bye, callee))[0] == 0


def test_a_placed_call_that_fails_frees_its_slot() -> None:
    stage = Stage()
    sent = _placed(stage)
    assert to_card(stage.outside(response(sent, 486, "Busy Here")))[1].status == 486
    assert stage.slots.live_calls == 0


def test_a_call_that_is_challenged_is_placed_once() -> None:
    stage = Stage()
    sent = _placed(stage)
    to_card(stage.outside(response(sent, 401, "Unauthorized")))
    to_outside(stage.inside(0, card_request("INVITE", "out", to_tag="", cseq=6, body=SDP)))
    assert stage.slots.live_calls == 1
    assert stage.router.counters["calls_placed_total"] == 1


def test_nobody_can_make_up_a_response() -> None:
    stage = Stage()
    sent = _placed(stage)
    for old, new in ((b"127.0.0.1:6000", b"127.0.0.1:6001"), (b"Call-ID: out", b"Call-ID: other")):
        assert stage.outside(response(sent, 200, "OK").replace(old, new)) == []


def test_host_names_are_looked_up() -> None:
    stage = Stage()
    data = card_request("INVITE", "out", uri="sip:bob@pbx.example;transport=tcp", to_tag="", cseq=1, body=SDP)
    question = to_resolve(stage.inside(0, data))
    assert (question.host, question.port, question.transport) == ("pbx.example", 5060, "tcp")
    flow, sent = to_outside(stage.router.handle_resolved(question, "198.51.100.6", stage.now))
    assert flow == Flow("tcp", 1, 0, "198.51.100.6", 5060)
    assert sent.all(b"via")[0].startswith(b"SIP/2.0/TCP ")


def test_a_name_that_is_none_is_told_to_the_card() -> None:
    stage = Stage()
    data = card_request("INVITE", "out", uri="sip:bob@nowhere.example", to_tag="", cseq=1)
    question = to_resolve(stage.inside(0, data))
    assert to_card(stage.router.handle_resolved(question, None, stage.now))[1].status == 503
    data = card_request("INVITE", "out2", uri="tel:+49", to_tag="", cseq=1)
    assert to_card(stage.inside(0, data))[1].status == 416


# ---- the death of a card --------------------------------------------------------------------------


def test_a_dead_cards_calls_get_a_bye() -> None:
    stage = Stage()
    card, ok = stage.answered()
    flow, bye = to_outside(stage.router.handle_card_death(CardId(card), stage.now))
    assert flow == PHONE
    assert (bye.method, bye.uri) == (b"BYE", b"sip:alice@10.9.9.9:5099")
    assert bye.get(b"from") == ok.get(b"to")
    assert bye.get(b"to") == ok.get(b"from")
    assert bye.cseq == BYE_CSEQ
    assert bye.get(b"reason") == LINE_FAILURE
    assert stage.slots.live_calls == 0


def test_the_bye_is_repeated_until_it_is_answered() -> None:
    stage = Stage()
    card, _ = stage.answered()
    _, bye = to_outside(stage.router.handle_card_death(CardId(card), stage.now))
    assert len(stage.turn(4.0)) == 3
    stage.outside(response(bye, 100, "Trying"))
    assert len(stage.turn(4.0)) == 1
    assert stage.outside(response(bye, 200, "OK")) == []
    assert stage.turn(GIVE_UP_S) == []


def test_the_bye_follows_target_refreshes_and_the_route_set() -> None:
    stage = Stage()
    routed = invite(headers="Record-Route: <sip:198.51.100.9:5080;lr>\r\n")
    card, got = to_card(stage.outside(routed))
    to_outside(stage.inside(card, response(got, 200, "OK", card=card)))
    update = request("UPDATE", to_tag="card", cseq=2).replace(b"alice@10.9.9.9:5099>", b"alice@10.8.8.8>")
    to_card(stage.outside(update))
    flow, bye = to_outside(stage.router.handle_card_death(CardId(card), stage.now))
    assert flow == Flow("udp", 0, 0, "198.51.100.9", 5080)
    assert bye.uri == b"sip:alice@10.8.8.8"
    assert bye.all(b"route") == [b"<sip:198.51.100.9:5080;lr>"]


def test_a_stranger_does_not_move_the_target() -> None:
    stage = Stage()
    card, _ = stage.answered()
    forged = request("UPDATE", to_tag="guessed", cseq=2).replace(b"alice@10.9.9.9:5099>", b"evil@6.6.6.6>")
    stage.outside(forged, Flow("udp", 0, 0, "6.6.6.6", 6))
    flow, bye = to_outside(stage.router.handle_card_death(CardId(card), stage.now))
    assert (flow, bye.uri) == (PHONE, b"sip:alice@10.9.9.9:5099")


def test_over_tcp_the_bye_uses_the_open_connection() -> None:
    stage = Stage()
    stage.router.handle_connected(TCP_PHONE.connection)
    card, _ = stage.answered(flow=TCP_PHONE)
    assert stage.router.connections_in_use() == {TCP_PHONE.connection}
    assert to_outside(stage.router.handle_card_death(CardId(card), stage.now))[0] == TCP_PHONE
    assert stage.router.connections_in_use() == set()


def test_an_unanswered_call_of_a_dead_card_fails() -> None:
    stage = Stage()
    card, _ = stage.call()
    _, answer = to_outside(stage.router.handle_card_death(CardId(card), stage.now))
    assert (answer.status, answer.cseq_method) == (500, b"INVITE")
    assert stage.outside(invite()) == []
    assert stage.outside(request("ACK", to_tag="x")) == []
    assert stage.turn(GIVE_UP_S) == []


def test_an_unanswered_placed_call_of_a_dead_card_is_cancelled() -> None:
    stage = Stage()
    sent = _placed(stage)
    _, cancel = to_outside(stage.router.handle_card_death(CardId(0), stage.now))
    assert (cancel.method, cancel.uri, cancel.cseq) == (b"CANCEL", b"sip:bob@198.51.100.5", 1)
    assert param(cancel.all(b"via")[0], b"branch") == param(sent.all(b"via")[0], b"branch")


def test_a_placed_call_of_a_dead_card_gets_a_bye_along_its_route_set() -> None:
    stage = Stage()
    sent = _placed(stage)
    ok = response(sent, 200, "OK").replace(b"sip:100@127.0.0.1:6000;ob", b"sip:bob@198.51.100.77")
    first = sent.all(b"record-route")[0]
    ok = ok.replace(
        b"Record-Route: " + first, b"Record-Route: <sip:198.51.100.5;lr>\r\nRecord-Route: " + first
    )
    to_card(stage.outside(ok))
    flow, bye = to_outside(stage.router.handle_card_death(CardId(0), stage.now))
    assert flow == Flow("udp", 0, 0, "198.51.100.5", 5060)
    assert bye.uri == b"sip:bob@198.51.100.77"
    assert [address_uri(route) for route in bye.all(b"route")] == [b"sip:198.51.100.5;lr"]


@pytest.mark.parametrize("method", ["BYE", "INVITE", "INFO"])
def test_stragglers_of_a_dead_card_get_481(method: str) -> None:
    stage = Stage()
    card, _ = stage.answered()
    stage.router.handle_card_death(CardId(card), stage.now)
    assert to_outside(stage.outside(request(method, to_tag="card", cseq=3)))[1].status == 481
    assert stage.outside(request("ACK", to_tag="card", cseq=3)) == []
