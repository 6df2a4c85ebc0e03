"""The flow table, whatever comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.relay.flows import ANSWER_S, IDLE_S, SILENT_S, UNPROVED_FACTOR, FlowTable
from gateway.wire.ufrag import encode
from tests.unit.edge.relay.flow_stage import ALICE, ALICE_MOVED, CARD, MALLORY, OTHER_CARD, RTP, SECRET
from tests.unit.edge.relay.messages import ERROR, REQUEST, SUCCESS, answer, message, request

_clients = st.sampled_from([ALICE, ALICE_MOVED, MALLORY, 1, 2])
_ufrags = {port: encode(port, SECRET) for port in (CARD, OTHER_CARD)}
_transactions = st.integers(0, 5).map(lambda number: number.to_bytes(12, "big"))
_from_clients = st.one_of(
    st.binary(max_size=60),
    st.builds(request, st.sampled_from([*_ufrags.values(), "abcd"]), _transactions, nominated=st.booleans()),
    st.builds(answer, st.sampled_from([SUCCESS, ERROR]), _transactions),
    st.just(RTP),
)
_from_cards = st.one_of(
    st.binary(max_size=60),
    st.builds(answer, st.sampled_from([SUCCESS, ERROR]), _transactions, st.sampled_from([28, 64, 400])),
    st.builds(message, st.just(REQUEST), _transactions),
    st.just(RTP),
)
_steps = st.one_of(
    st.tuples(st.just("up"), _clients, _from_clients),
    st.tuples(st.just("down"), st.sampled_from([CARD, OTHER_CARD, 22]), _from_cards),
    st.tuples(st.just("wait"), st.sampled_from([0.1, SILENT_S, ANSWER_S, IDLE_S]), st.none()),
    st.tuples(st.just("forget"), st.sampled_from([1, 2]), st.none()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_steps, max_size=60))
def test_whatever_comes_the_rules_hold(steps: list[tuple[str, object, object]]) -> None:
    """Only cards' ports and asking clients are ever named, and unproved addresses stay within their limit."""
    table, now = FlowTable(SECRET, max_flows=3), 0.0
    asked: set[object] = set()
    perhaps_proved: set[object] = {1, 2}
    came: dict[object, int] = {}
    went: dict[object, int] = {}
    for what, who, data in steps:
        if what == "up" and isinstance(data, bytes) and isinstance(who, tuple | int):
            port = table.to_card(who, data, now)
            assert port in (None, CARD, OTHER_CARD)
            if port is not None:
                asked.add(who)
            came[who] = came.get(who, 0) + len(data)
            if data[:2] == b"\x01\x01":
                perhaps_proved.add(who)
        elif what == "down" and isinstance(data, bytes) and isinstance(who, int):
            client = table.to_client(who, data, now)
            assert client is None or client in asked
            if client is not None:
                went[client] = went.get(client, 0) + len(data)
                assert client in perhaps_proved or went[client] <= UNPROVED_FACTOR * came[client]
        elif what == "wait" and isinstance(who, float):
            now += who
            table.sweep(now)
        elif isinstance(who, int):
            table.forget(who)
        assert table.peers <= table.flows <= 3
