"""Any bytes from any side: the router never raises, and whatever it sends is a SIP message."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.ids import CardId
from gateway.edge.commands import Command, Resolve, TellCore
from gateway.edge.message import parse
from tests.unit.edge.stage import (
    SDP,
    TCP_PHONE,
    Stage,
    card_request,
    invite,
    request,
    response,
    to_card,
)

_, _GOT = Stage().call("c1")
_SEEDS = [
    invite("c1"),
    invite("c2", headers="Record-Route: <sip:198.51.100.9;lr>\r\nRoute: <sip:203.0.113.1;lr;c=1>\r\n"),
    request("CANCEL", "c1"),
    request("ACK", "c1", to_tag="card"),
    request("BYE", "c1", to_tag="card", cseq=2),
    request("UPDATE", "c1", to_tag="card", cseq=2, body=SDP),
    request("OPTIONS", "c3"),
    request("REGISTER", "c4"),
    response(_GOT, 100, "Trying"),
    response(_GOT, 200, "OK"),
    response(_GOT, 486, "Busy Here"),
    card_request("INVITE", "c5", uri="sip:bob@198.51.100.5", to_tag="", body=SDP),
    card_request("INVITE", "c6", uri="sip:bob@pbx.example;transport=tcp", to_tag="", body=SDP),
    card_request("BYE", "c1", routes=(b"<sip:127.0.0.1:40000;lr;c=0>", b"<sip:203.0.113.1;lr;c=0>")),
]
_PIECES = st.sampled_from(
    b'\r\n|\n|\r| |:|,|;|<|>|"|\\|\0|\xff|@|;tag=|;c=9|;lr|;ec=tcp.1.9|;rport|0|99999|sip:|SIP/2.0 200 OK'
    b"|127.0.0.1|Via: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bKx\r\n|Route: <sip:>\r\n".split(b"|")
)
_DAMAGE = st.lists(st.tuples(st.integers(0, 700), _PIECES, st.integers(0, 12)), max_size=4)
_STEP = st.tuples(st.sampled_from(_SEEDS), _DAMAGE, st.sampled_from(["udp", "tcp", "card", "card"]))
_EVENT = st.one_of(_STEP, st.sampled_from(["report", "empty", "die", "time", "long"]))


def _damaged(data: bytes, damage: list[tuple[int, bytes, int]]) -> bytes:
    for position, piece, cut in damage:
        data = data[:position] + piece + data[position + cut :]
    return data


def _apply(stage: Stage, event: object) -> list[Command]:
    if event == "report":
        return stage.report(0, "c1", "c2")
    if event == "empty":
        return stage.report(0)
    if event == "die":
        commands = stage.router.handle_card_death(CardId(1), stage.now)
        stage.slots.card_ordered(CardId(1), stage.now)
        return commands + stage.report(1)
    if event in ("time", "long"):
        return stage.turn(0.7 if event == "time" else 70.0)
    assert isinstance(event, tuple)
    seed, damage, side = event
    data = _damaged(seed, damage)
    if side == "card":
        return stage.inside(0, data)
    return stage.outside(data, TCP_PHONE) if side == "tcp" else stage.outside(data)


def _check(data: bytes) -> None:
    if not data.startswith(b"SIP/2.0 400 "):  # which repeats what was wrong
        parse(data)


@settings(max_examples=300, deadline=None)
@given(st.lists(_EVENT, min_size=1, max_size=12))
def test_nothing_raises_and_everything_sent_is_sip(events: list[object]) -> None:
    stage = Stage()
    for event in events:
        for command in _apply(stage, event):
            if isinstance(command, Resolve):
                for answer in stage.router.handle_resolved(command, "198.51.100.8", stage.now):
                    assert not isinstance(answer, Resolve | TellCore)
                    _check(answer.data)
            elif not isinstance(command, TellCore):
                _check(command.data)
        assert 0 <= stage.slots.live_calls <= 8 + len(events)


def test_the_seeds_reach_a_card_and_the_outside() -> None:
    stage = Stage()
    to_card(stage.outside(_SEEDS[0]))
    assert stage.inside(0, _SEEDS[9])
    assert stage.inside(0, _SEEDS[11])
