"""The flow table: who gets through, who gets the downlink, and who never does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.relay.flows import (
    ABANDONED_S,
    ANSWER_S,
    FLOWS_PER_PEER,
    IDLE_S,
    MAX_ASKED,
    SEEN_PER_PEER,
    SILENT_S,
    UNPROVED_FACTOR,
    Client,
    FlowTable,
)
from gateway.wire.ufrag import encode
from tests.unit.edge.relay.messages import ERROR, REQUEST, SUCCESS, Transactions, answer, message, request

_SECRET = b"s" * 32
_CARD, _OTHER_CARD = 40001, 40002
_ALICE, _ALICE_MOVED, _MALLORY = ("192.0.2.1", 1111), ("192.0.2.1", 2222), ("198.51.100.9", 6666)
_RTP = b"\x80" + bytes(99)
_DTLS = b"\x16" + bytes(99)


class _Stage:
    """A table with cards that answer; `key` says whether the client knows the peer's password."""

    def __init__(self, max_flows: int = 100) -> None:
        self.table = FlowTable(_SECRET, max_flows=max_flows)
        self.ids = Transactions()
        self.ufrag = {port: encode(port, _SECRET) for port in (_CARD, _OTHER_CARD)}
        self.now = 100.0

    def dropped(self, why: str) -> int:
        return self.table.counters[f"relay_dropped_{why}_total"]

    def up(self, client: Client, data: bytes = _RTP) -> int | None:
        return self.table.to_card(client, data, self.now)

    def down(self, data: bytes = _RTP, port: int = _CARD) -> Client | None:
        return self.table.to_client(port, data, self.now)

    def ask(self, client: Client, *, port: int = _CARD, nominated: bool = False) -> bytes:
        """A check that reaches the card; its transaction."""
        transaction = self.ids.next()
        assert self.up(client, request(self.ufrag[port], transaction, nominated=nominated)) == port
        return transaction

    def check(self, client: Client, *, port: int = _CARD, nominated: bool = False, key: bool = True) -> bytes:
        """A check and the card's answer to it, which goes back to the client; its transaction."""
        transaction = self.ask(client, port=port, nominated=nominated)
        assert self.down(answer(SUCCESS if key else ERROR, transaction), port) == client
        return transaction

    def prove(self, client: Client, port: int = _CARD) -> None:
        """The card checks the client, which answers."""
        transaction = self.ids.next()
        assert self.down(message(REQUEST, transaction), port) == client
        assert self.up(client, answer(SUCCESS, transaction)) == port

    def connect(self, client: Client, port: int = _CARD) -> bytes:
        """As a browser does it."""
        transaction = self.check(client, port=port, nominated=True)
        self.prove(client, port)
        return transaction


def test_media_flows_both_ways_once_the_card_has_confirmed() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    assert (stage.up(_ALICE), stage.down()) == (_CARD, _ALICE)
    assert (stage.up(_ALICE, _DTLS), stage.down(_DTLS)) == (_CARD, _ALICE)
    assert (stage.table.flows, stage.table.peers) == (1, 1)


def test_nothing_passes_before_the_card_has_confirmed() -> None:
    stage = _Stage()
    stage.ask(_ALICE)
    assert stage.up(_ALICE) is None
    assert stage.up(_ALICE, answer(SUCCESS, bytes(12))) is None
    assert stage.down() is None
    assert (stage.dropped("unconfirmed"), stage.dropped("unrouted")) == (2, 1)
    assert stage.table.flows == 0


def test_a_forged_ufrag_reaches_no_port() -> None:
    stage = _Stage()
    forged = encode(22, b"x" * 32)
    assert stage.up(_MALLORY, request(forged, stage.ids.next())) is None
    assert stage.up(_MALLORY, request("abcd", stage.ids.next())) is None
    assert stage.dropped("refused") == 2


def test_only_dtls_rtp_and_stun_pass() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    for first in (4, 19, 64, 127, 192, 255):
        assert stage.up(_ALICE, bytes([first]) + bytes(50)) is None
    assert stage.up(_ALICE, b"") is None
    assert stage.up(_ALICE, b"\x00\x01 no STUN") is None


def test_who_knows_the_ufrag_but_not_the_password_gets_only_the_refusal() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    for _ in range(20):
        stage.check(_MALLORY, nominated=True, key=False)
        assert stage.up(_MALLORY) is None
        assert stage.down() == _ALICE
    stage.now += 2 * SILENT_S
    stage.check(_MALLORY, nominated=True, key=False)
    assert stage.down() == _ALICE
    assert stage.table.flows == 1


def test_an_overheard_check_is_worth_nothing_elsewhere() -> None:
    stage = _Stage()
    transaction = stage.connect(_ALICE)
    overheard = request(stage.ufrag[_CARD], transaction, nominated=True)
    assert stage.up(_MALLORY, overheard) is None
    in_flight = stage.ask(_ALICE, nominated=True)
    assert stage.up(_MALLORY, request(stage.ufrag[_CARD], in_flight, nominated=True)) is None
    assert stage.down(answer(SUCCESS, in_flight)) == _ALICE
    assert stage.down() == _ALICE
    assert stage.dropped("replayed") == 2
    assert stage.up(_ALICE, overheard) == _CARD


def test_overheard_checks_are_remembered_within_bounds() -> None:
    stage = _Stage()
    transactions = [stage.check(_ALICE) for _ in range(SEEN_PER_PEER)]
    assert stage.up(_MALLORY, request(stage.ufrag[_CARD], transactions[0])) is None


def test_an_answer_longer_than_the_question_goes_nowhere() -> None:
    stage = _Stage()
    transaction = stage.ids.next()
    asked = request(stage.ufrag[_CARD], transaction)
    assert stage.up(_MALLORY, asked) == _CARD
    assert stage.down(answer(ERROR, transaction, len(asked) + 4)) is None
    assert stage.dropped("amplifying") == 1
    transaction = stage.ids.next()
    assert stage.up(_MALLORY, request(stage.ufrag[_CARD], transaction)) == _CARD
    assert stage.down(answer(ERROR, transaction, len(asked))) == _MALLORY


def test_a_forged_address_gets_no_more_than_three_times_what_was_spent_on_it() -> None:
    """Mallory has a call of his own and gives a victim's address as his."""
    stage = _Stage()
    victim = ("203.0.113.77", 53)
    stage.connect(_MALLORY)
    transaction = stage.ids.next()
    forged = request(stage.ufrag[_CARD], transaction, nominated=True)
    assert stage.up(victim, forged) == _CARD
    to_victim = [answer(SUCCESS, transaction)] + [_RTP] * 100
    received = sum(len(data) for data in to_victim if stage.down(data) == victim)
    assert 0 < received <= UNPROVED_FACTOR * len(forged)
    assert stage.dropped("unproved") > 90


def test_a_guessed_answer_proves_nothing() -> None:
    stage = _Stage()
    stage.check(_ALICE, nominated=True)
    asked = stage.ids.next()
    assert stage.down(message(REQUEST, asked)) == _ALICE
    stage.up(_ALICE, answer(SUCCESS, bytes(12)))
    for _ in range(100):
        stage.down()
    assert stage.dropped("unproved") > 0
    assert stage.up(_ALICE, answer(SUCCESS, asked)) == _CARD
    assert stage.down() == _ALICE


def test_a_tcp_connection_needs_no_further_proof() -> None:
    stage = _Stage()
    stage.check(7)
    assert all(stage.down() == 7 for _ in range(100))
    stage.table.forget(7)
    assert stage.down() is None
    assert (stage.table.flows, stage.table.peers) == (0, 0)
    stage.table.forget(7)


def test_a_nat_that_rebinds_is_followed_at_the_next_check() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    assert stage.up(_ALICE_MOVED) is None
    assert stage.down() == _ALICE
    stage.now += 2.5
    stage.check(_ALICE_MOVED)
    assert (stage.up(_ALICE_MOVED), stage.down()) == (_CARD, _ALICE_MOVED)
    assert stage.table.counters["relay_route_switches_total"] == 1


def test_symmetric_media_is_not_held_back_while_the_new_address_is_unproved() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    stage.now += 2.5
    stage.check(_ALICE_MOVED)
    for _ in range(500):
        assert (stage.up(_ALICE_MOVED), stage.down()) == (_CARD, _ALICE_MOVED)


def test_of_two_live_addresses_the_nominated_one_gets_the_downlink() -> None:
    stage = _Stage()
    stage.check(_ALICE)
    stage.check(_ALICE_MOVED)
    assert stage.down() == _ALICE
    stage.check(_ALICE_MOVED, nominated=True)
    assert stage.down() == _ALICE_MOVED
    stage.check(_ALICE)
    assert stage.down() == _ALICE_MOVED
    assert (stage.up(_ALICE), stage.up(_ALICE_MOVED)) == (_CARD, _CARD)


def test_the_handshake_is_answered_where_it_comes_from() -> None:
    stage = _Stage()
    # A browser with two addresses nominates both while it waits for the first answer.
    stage.check(_ALICE, nominated=True)
    stage.check(_ALICE_MOVED, nominated=True)
    assert stage.up(_ALICE, _DTLS) == _CARD
    assert stage.down(_DTLS) == _ALICE
    stage.prove(_ALICE)


def test_only_an_address_that_the_card_has_confirmed_can_shake_hands() -> None:
    stage = _Stage()
    stage.check(_ALICE, nominated=True)
    assert stage.up(_MALLORY, _DTLS) is None
    assert stage.up(_ALICE_MOVED, _DTLS) is None
    assert stage.down(_DTLS) == _ALICE


def test_a_handshake_in_the_middle_of_a_call_moves_nothing() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    stage.check(_ALICE_MOVED)
    assert stage.up(_ALICE, _RTP) == _CARD
    assert stage.up(_ALICE_MOVED, _DTLS) == _CARD
    assert stage.down() == _ALICE


def test_an_address_in_use_is_not_moved_to_another_peer() -> None:
    """Mallory, with a call of his own, asks in Alice's name."""
    stage = _Stage()
    stage.connect(_ALICE)
    stage.connect(_MALLORY, _OTHER_CARD)
    stage.check(_ALICE, port=_OTHER_CARD, nominated=True)
    assert (stage.up(_ALICE), stage.down()) == (_CARD, _ALICE)
    assert stage.down(port=_OTHER_CARD) == _MALLORY
    assert stage.dropped("occupied") == 1


def test_an_address_that_fell_silent_may_begin_another_call() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    stage.now += SILENT_S
    stage.connect(_ALICE, _OTHER_CARD)
    assert (stage.up(_ALICE), stage.down(port=_OTHER_CARD), stage.down()) == (_OTHER_CARD, _ALICE, None)


def test_a_new_table_knows_everything_again_after_one_check() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    stage.table = FlowTable(_SECRET, max_flows=100)
    assert (stage.up(_ALICE), stage.down()) == (None, None)
    stage.check(_ALICE)
    assert (stage.up(_ALICE), stage.down()) == (_CARD, _ALICE)


def test_silence_ends_a_flow_and_traffic_keeps_it() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    stage.connect(_MALLORY, _OTHER_CARD)
    for _ in range(10):
        stage.now += IDLE_S / 5
        stage.up(_ALICE)
        stage.table.sweep(stage.now)
    assert (stage.down(), stage.down(port=_OTHER_CARD)) == (_ALICE, None)
    assert (stage.table.flows, stage.table.peers) == (1, 1)


def test_when_the_routed_address_goes_the_one_heard_last_takes_over() -> None:
    stage = _Stage()
    stage.check(7)
    stage.check(_ALICE)
    assert stage.down() == 7
    stage.table.forget(7)
    assert stage.down() == _ALICE


def test_a_late_answer_commits_nothing() -> None:
    stage = _Stage()
    transaction = stage.ask(_ALICE)
    stage.now += ANSWER_S
    stage.table.sweep(stage.now)
    assert stage.down(answer(SUCCESS, transaction)) is None
    assert stage.table.flows == 0


def test_questions_without_an_answer_are_bounded() -> None:
    stage = _Stage()
    first = stage.ask(_ALICE)
    for number in range(MAX_ASKED):
        stage.ask(("198.51.100.9", number))
    assert stage.table.counters["relay_asked_overflow_total"] == 1
    assert stage.down(answer(SUCCESS, first)) is None


def test_one_peer_can_not_fill_the_table() -> None:
    stage = _Stage()
    stage.connect(_ALICE)
    for number in range(5 * FLOWS_PER_PEER):
        stage.now += 0.01
        stage.up(_ALICE)
        stage.check(("198.51.100.9", number))
    assert stage.table.flows == FLOWS_PER_PEER
    assert stage.down() == _ALICE


def test_a_full_table_gives_up_who_has_left() -> None:
    stage = _Stage(max_flows=2)
    stage.check(_ALICE)
    stage.check(_ALICE_MOVED)
    stage.now += ABANDONED_S / 2
    stage.up(_ALICE)
    stage.now += ABANDONED_S / 2
    stage.check(_MALLORY, port=_OTHER_CARD)
    assert stage.dropped("full") == 0
    assert stage.table.confirmed(_ALICE), "it was heard lately"
    assert not stage.table.confirmed(_ALICE_MOVED)


def test_a_full_table_takes_nobody_in() -> None:
    stage = _Stage(max_flows=1)
    stage.connect(_ALICE)
    stage.check(_MALLORY, port=_OTHER_CARD)
    assert (stage.up(_MALLORY), stage.down(port=_OTHER_CARD)) == (None, None)
    assert stage.dropped("full") == 1


def test_a_request_of_the_card_is_no_answer() -> None:
    """Even if its transaction is one that a client has chosen."""
    stage = _Stage()
    transaction = stage.ask(_MALLORY)
    assert stage.down(message(REQUEST, transaction)) is None
    assert stage.table.flows == 0


_clients = st.sampled_from([_ALICE, _ALICE_MOVED, _MALLORY, 1, 2])
_ufrags = {port: encode(port, _SECRET) for port in (_CARD, _OTHER_CARD)}
_transactions = st.integers(0, 5).map(lambda number: number.to_bytes(12, "big"))
_from_clients = st.one_of(
    st.binary(max_size=60),
    st.builds(request, st.sampled_from([*_ufrags.values(), "abcd"]), _transactions, nominated=st.booleans()),
    st.builds(answer, st.sampled_from([SUCCESS, ERROR]), _transactions),
    st.just(_RTP),
)
_from_cards = st.one_of(
    st.binary(max_size=60),
    st.builds(answer, st.sampled_from([SUCCESS, ERROR]), _transactions, st.sampled_from([28, 64, 400])),
    st.builds(message, st.just(REQUEST), _transactions),
    st.just(_RTP),
)
_steps = st.one_of(
    st.tuples(st.just("up"), _clients, _from_clients),
    st.tuples(st.just("down"), st.sampled_from([_CARD, _OTHER_CARD, 22]), _from_cards),
    st.tuples(st.just("wait"), st.sampled_from([0.1, SILENT_S, ANSWER_S, IDLE_S]), st.none()),
    st.tuples(st.just("forget"), st.sampled_from([1, 2]), st.none()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_steps, max_size=60))
def test_whatever_comes_the_rules_hold(steps: list[tuple[str, object, object]]) -> None:
    """Only cards' ports and asking clients are ever named, and unproved addresses stay within their limit."""
    table, now = FlowTable(_SECRET, max_flows=3), 0.0
    asked: set[object] = set()
    perhaps_proved: set[object] = {1, 2}
    came: dict[object, int] = {}
    went: dict[object, int] = {}
    for what, who, data in steps:
        if what == "up" and isinstance(data, bytes) and isinstance(who, tuple | int):
            port = table.to_card(who, data, now)
            assert port in (None, _CARD, _OTHER_CARD)
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
