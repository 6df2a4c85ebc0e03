"""Slots for calls that the core places, among calls that come in."""

from gateway.core.ids import CardId
from gateway.edge.commands import Command, Flow, SendToCard, TellCore
from gateway.edge.message import SipMessage
from gateway.edge.slots import RESERVED_S
from gateway.edge.wants import MAX_WAITING, WAIT_S
from gateway.wire.edge import SlotGranted, SlotRefused
from tests.unit.edge.stage import (
    PUBLIC,
    Stage,
    all_outside,
    card_request,
    invite,
    request,
    to_card,
    to_outside,
)

FAR = "192.0.2.9"


def told(commands: list[Command]) -> SlotGranted | SlotRefused:
    (command,) = commands
    assert isinstance(command, TellCore)
    return command.message


def granted(stage: Stage, number: int = 1) -> SlotGranted:
    answer = told(stage.router.handle_slot_wanted(number, stage.now))
    assert isinstance(answer, SlotGranted)
    return answer


def placed(stage: Stage, slot: SlotGranted, *, cseq: int = 5, headers: tuple[bytes, ...] = ()) -> SipMessage:
    """The card's INVITE as it leaves."""
    data = card_request(
        "INVITE",
        slot.sip_call_id,
        card=slot.card,
        uri=f"sip:op1@{FAR}:5070",
        to_tag="",
        cseq=cseq,
        routes=headers,
    )
    _, message = to_outside(stage.inside(slot.card, data))
    return message


def test_a_slot_comes_with_a_card_and_a_call_id() -> None:
    stage = Stage()
    first, second = granted(stage, 1), granted(stage, 2)
    assert (first.request, second.request) == (1, 2)
    assert first.card == second.card
    assert len({first.sip_call_id, second.sip_call_id}) == 2
    assert len(first.sip_call_id) == 32
    assert stage.slots.live_calls == 2


def test_the_cards_invite_takes_the_reserved_slot_and_no_other() -> None:
    stage = Stage()
    slot = granted(stage)
    placed(stage, slot)
    assert stage.slots.live_calls == 1
    stage.report(slot.card, slot.sip_call_id)
    assert stage.slots.live_calls == 1
    stage.report(slot.card)
    assert stage.slots.live_calls == 0


def test_the_cards_status_may_come_before_its_invite() -> None:
    stage = Stage()
    slot = granted(stage)
    stage.report(slot.card, slot.sip_call_id)
    placed(stage, slot)
    assert stage.slots.live_calls == 1


def test_a_slot_that_is_given_back_is_free() -> None:
    stage = Stage()
    slot = granted(stage)
    assert stage.router.handle_slot_released(slot.request, stage.now) == []
    assert stage.slots.live_calls == 0
    assert stage.router.handle_slot_released(slot.request, stage.now) == []


def test_giving_back_does_not_end_a_call_that_is_on_its_way() -> None:
    stage = Stage()
    slot = granted(stage)
    placed(stage, slot)
    stage.router.handle_slot_released(slot.request, stage.now)
    assert stage.slots.live_calls == 1


def test_a_slot_that_is_not_used_goes_back() -> None:
    stage = Stage()
    granted(stage)
    stage.turn(RESERVED_S - 0.1)
    assert stage.slots.live_calls == 1
    stage.turn(0.2)
    assert stage.slots.live_calls == 0


def test_a_core_that_is_gone_has_no_slots() -> None:
    stage = Stage(cards=1)
    used = granted(stage, 1)
    placed(stage, used)
    for number in range(2, 8):
        stage.router.handle_slot_wanted(number, stage.now)
    assert (stage.slots.live_calls, stage.router.waiting) == (4, 3)
    assert stage.router.handle_core_lost(stage.now) == []
    assert (stage.slots.live_calls, stage.router.waiting) == (1, 0)


def test_a_full_gateway_says_so() -> None:
    stage = Stage(max_calls=1)
    granted(stage)
    answer = told(stage.router.handle_slot_wanted(2, stage.now))
    assert answer == SlotRefused(2, "all 1 calls that the gateway carries are in use")
    assert stage.router.counters["calls_not_placed_total"] == 1


def test_it_waits_for_a_card_that_is_being_started() -> None:
    stage = Stage(cards=1)
    for number in range(4):
        granted(stage, number)
    assert stage.router.handle_slot_wanted(9, stage.now) == []
    assert stage.router.waiting == 1
    stage.slots.card_ordered(CardId(1), stage.now)
    answer = told(stage.report(1))
    assert isinstance(answer, SlotGranted)
    assert (answer.request, answer.card) == (9, 1)


def test_but_not_for_long() -> None:
    stage = Stage(cards=1)
    for number in range(4):
        granted(stage, number)
    stage.router.handle_slot_wanted(9, stage.now)
    assert stage.turn(WAIT_S - 0.01) == []
    assert told(stage.turn(0.02)) == SlotRefused(9, "no line card has room")


def test_a_wish_that_is_withdrawn_is_not_answered() -> None:
    stage = Stage(cards=1)
    for number in range(4):
        granted(stage, number)
    stage.router.handle_slot_wanted(9, stage.now)
    stage.router.handle_slot_released(9, stage.now)
    assert stage.turn(WAIT_S + 1) == []


def test_what_waits_is_bounded() -> None:
    stage = Stage(cards=0, max_calls=MAX_WAITING + 10)
    for number in range(MAX_WAITING):
        assert stage.router.handle_slot_wanted(number, stage.now) == []
    answer = told(stage.router.handle_slot_wanted(MAX_WAITING, stage.now))
    assert answer == SlotRefused(MAX_WAITING, "too many calls wait for a line card")


def test_calls_from_outside_that_wait_come_first() -> None:
    stage = Stage(cards=0)
    stage.outside(invite("in"))
    assert stage.router.handle_slot_wanted(1, stage.now) == []
    stage.slots.card_ordered(CardId(0), stage.now)
    commands = stage.report(0)
    assert [type(command) for command in commands] == [SendToCard, TellCore]


def test_four_calls_come_in_while_one_is_placed_and_nobody_is_refused() -> None:
    stage = Stage(cards=2)
    slot = granted(stage)
    cards = []
    for number in range(4):
        card, _ = stage.call(f"in{number}")
        cards.append(card)
    placed(stage, slot)
    assert cards.count(slot.card) == 3
    assert stage.slots.live_calls == 5
    assert all(card.used <= 4 for card in stage.slots.cards.values())


def test_an_invite_from_outside_cannot_take_the_slot() -> None:
    """Nobody can guess its Call-ID; whoever did would only be a second call of the same name."""
    stage = Stage()
    slot = granted(stage)
    placed(stage, slot)
    _, answer = to_outside(stage.outside(invite(slot.sip_call_id)))
    assert answer.status == 482


# ---- what follows the INVITE ----------------------------------------------------------------------


def test_cancel_and_the_ack_of_a_refusal_go_where_the_invite_went() -> None:
    """Although only the INVITE carries the Route to the trunk's address."""
    stage = Stage()
    slot = granted(stage)
    data = card_request(
        "INVITE",
        slot.sip_call_id,
        card=slot.card,
        uri="sip:op1@example.org",
        to_tag="",
        routes=(b"<sip:%s:5070;lr>" % FAR.encode(),),
    )
    flow, sent = to_outside(stage.inside(slot.card, data))
    assert (flow.address, flow.port) == (FAR, 5070)
    for method in ("CANCEL", "ACK"):
        again, message = to_outside(
            stage.inside(
                slot.card,
                card_request(method, slot.sip_call_id, card=slot.card, uri="sip:op1@example.org", to_tag=""),
            )
        )
        assert again == flow
        assert message.uri == b"sip:op1@example.org"
        assert message.all(b"via")[0] == sent.all(b"via")[0]


def test_an_invite_that_is_repeated_with_credentials_is_the_same_call() -> None:
    stage = Stage()
    slot = granted(stage)
    first = placed(stage, slot, cseq=5)
    stage.report(slot.card, slot.sip_call_id)
    flow = stage.router.handle_outside(answer_to(first, 407, "Who"), _far(), stage.now)
    assert isinstance(flow[0], SendToCard)
    second = placed(stage, slot, cseq=6)
    assert second.all(b"via")[0] != first.all(b"via")[0]
    assert stage.slots.live_calls == 1
    ends = stage.router.handle_card_death(slot.card, stage.now)
    _, cancel = to_outside(ends)
    assert (cancel.method, cancel.cseq) == (b"CANCEL", 6)


def answer_to(sent: SipMessage, status: int, reason: str) -> bytes:
    lines = [f"SIP/2.0 {status} {reason}".encode()]
    for key, name, value in sent.fields:
        if key in (b"via", b"record-route", b"from", b"call-id", b"cseq"):
            lines.append(name + b": " + value)
        elif key == b"to":
            lines.append(b"To: " + value + b";tag=far")
    return b"\r\n".join([*lines, b"Content-Length: 0", b"", b""])


def _far() -> Flow:
    return Flow("udp", 0, 0, FAR, 5070)


def test_a_refusal_for_a_dead_card_is_acknowledged() -> None:
    stage = Stage()
    slot = granted(stage)
    sent = placed(stage, slot)
    stage.router.handle_card_death(slot.card, stage.now)
    for status in (180, 200):  # 200: of the CANCEL
        response = answer_to(sent, status, "x")
        if status == 200:
            response = response.replace(b" INVITE\r\n", b" CANCEL\r\n")
        assert stage.router.handle_outside(response, _far(), stage.now) == []
    flow, ack = to_outside(stage.router.handle_outside(answer_to(sent, 487, "x"), _far(), stage.now))
    assert (ack.method, ack.cseq, flow) == (b"ACK", sent.cseq, _far())
    assert ack.all(b"via") == [sent.all(b"via")[0]]
    assert (ack.get(b"to") or b"").endswith(b";tag=far")


def test_an_answer_for_a_dead_card_is_acknowledged_and_hung_up() -> None:
    stage = Stage()
    slot = granted(stage)
    sent = placed(stage, slot)
    stage.router.handle_card_death(slot.card, stage.now)
    contact = b"\r\nContact: <sip:op1@%s:5099>\r\nContent-Length" % FAR.encode()
    answer = answer_to(sent, 200, "OK").replace(b"\r\nContent-Length", contact)
    (_, ack), (flow, bye) = all_outside(stage.router.handle_outside(answer, _far(), stage.now))
    assert (ack.method, bye.method) == (b"ACK", b"BYE")
    assert ack.uri == bye.uri == b"sip:op1@%s:5099" % FAR.encode()
    assert (flow.address, flow.port) == (FAR, 5099)
    assert ack.all(b"via")[0] != sent.all(b"via")[0]
    assert (bye.get(b"to") or b"").endswith(b";tag=far")
    assert bye.get(b"from") == sent.get(b"from")


def test_a_card_always_reaches_its_far_end_through_us() -> None:
    """Also when that leaves Record-Route away and gives a Contact that is no SIP URI."""
    stage = Stage()
    slot = granted(stage)
    sent = placed(stage, slot)
    plain = answer_to(sent, 200, "OK")
    routes = sent.all(b"record-route")
    stripped = b"\r\n".join(line for line in plain.split(b"\r\n") if not line.startswith(b"Record-Route"))
    spoilt = stripped.replace(b"\r\nContent-Length", b"\r\nContact: <si5:x@y>\r\nContent-Length")
    _, got = to_card(stage.router.handle_outside(spoilt, _far(), stage.now))
    assert got.all(b"record-route") == routes
    assert got.get(b"contact") is None
    _, again = to_card(stage.router.handle_outside(plain, _far(), stage.now))
    assert again.all(b"record-route") == routes


# ---- transfers --------------------------------------------------------------------------------------


def test_notify_passes_once_the_card_has_sent_refer() -> None:
    stage = Stage()
    card, _ = stage.answered()
    notify = request("NOTIFY", to_tag="card", cseq=9, uri=f"sip:100@{PUBLIC};c={card}")
    assert to_outside(stage.outside(notify))[1].status == 481
    stage.inside(card, card_request("REFER", "c1", card=card))
    again = request("NOTIFY", to_tag="card", cseq=10, uri=f"sip:100@{PUBLIC};c={card}")
    assert to_card(stage.outside(again))[1].method == b"NOTIFY"


def test_refer_from_outside_is_declined_and_counted() -> None:
    stage = Stage()
    stage.answered()
    refer = request("REFER", to_tag="card", cseq=9, headers="Refer-To: <sip:premium@example.org>\r\n")
    assert to_outside(stage.outside(refer))[1].status == 603
    assert stage.router.counters["transfers_refused_total"] == 1
    assert stage.slots.live_calls == 1
