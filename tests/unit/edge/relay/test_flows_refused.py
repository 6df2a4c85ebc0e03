"""The flow table: who never gets through, and how much anybody can take of it."""

from gateway.edge.relay.flows import (
    ABANDONED_S,
    FLOWS_PER_PEER,
    MAX_ASKED,
    SEEN_PER_PEER,
    SILENT_S,
    UNPROVED_FACTOR,
)
from gateway.wire.ufrag import encode
from tests.unit.edge.relay.flow_stage import ALICE, ALICE_MOVED, CARD, DTLS, MALLORY, OTHER_CARD, RTP, Stage
from tests.unit.edge.relay.messages import ERROR, REQUEST, SUCCESS, answer, message, request


def test_a_forged_ufrag_reaches_no_port() -> None:
    stage = Stage()
    forged = encode(22, b"x" * 32)
    assert stage.up(MALLORY, request(forged, stage.ids.next())) is None
    assert stage.up(MALLORY, request("abcd", stage.ids.next())) is None
    assert stage.dropped("refused") == 2


def test_who_knows_the_ufrag_but_not_the_password_gets_only_the_refusal() -> None:
    stage = Stage()
    stage.connect(ALICE)
    for _ in range(20):
        stage.check(MALLORY, nominated=True, key=False)
        assert stage.up(MALLORY) is None
        assert stage.down() == ALICE
    stage.now += 2 * SILENT_S
    stage.check(MALLORY, nominated=True, key=False)
    assert stage.down() == ALICE
    assert stage.table.flows == 1


def test_an_overheard_check_is_worth_nothing_elsewhere() -> None:
    stage = Stage()
    transaction = stage.connect(ALICE)
    overheard = request(stage.ufrag[CARD], transaction, nominated=True)
    assert stage.up(MALLORY, overheard) is None
    in_flight = stage.ask(ALICE, nominated=True)
    assert stage.up(MALLORY, request(stage.ufrag[CARD], in_flight, nominated=True)) is None
    assert stage.down(answer(SUCCESS, in_flight)) == ALICE
    assert stage.down() == ALICE
    assert stage.dropped("replayed") == 2
    assert stage.up(ALICE, overheard) == CARD


def test_overheard_checks_are_remembered_within_bounds() -> None:
    stage = Stage()
    transactions = [stage.check(ALICE) for _ in range(SEEN_PER_PEER)]
    assert stage.up(MALLORY, request(stage.ufrag[CARD], transactions[0])) is None


def test_an_answer_longer_than_the_question_goes_nowhere() -> None:
    stage = Stage()
    transaction = stage.ids.next()
    asked = request(stage.ufrag[CARD], transaction)
    assert stage.up(MALLORY, asked) == CARD
    assert stage.down(answer(ERROR, transaction, len(asked) + 4)) is None
    assert stage.dropped("amplifying") == 1
    transaction = stage.ids.next()
    assert stage.up(MALLORY, request(stage.ufrag[CARD], transaction)) == CARD
    assert stage.down(answer(ERROR, transaction, len(asked))) == MALLORY


def test_a_forged_address_gets_no_more_than_three_times_what_was_spent_on_it() -> None:
    """Mallory has a call of his own and gives a victim's address as his."""
    stage = Stage()
    victim = ("203.0.113.77", 53)
    stage.connect(MALLORY)
    transaction = stage.ids.next()
    forged = request(stage.ufrag[CARD], transaction, nominated=True)
    assert stage.up(victim, forged) == CARD
    to_victim = [answer(SUCCESS, transaction)] + [RTP] * 100
    received = sum(len(data) for data in to_victim if stage.down(data) == victim)
    assert 0 < received <= UNPROVED_FACTOR * len(forged)
    assert stage.dropped("unproved") > 90


def test_a_guessed_answer_proves_nothing() -> None:
    stage = Stage()
    stage.check(ALICE, nominated=True)
    asked = stage.ids.next()
    assert stage.down(message(REQUEST, asked)) == ALICE
    stage.up(ALICE, answer(SUCCESS, bytes(12)))
    for _ in range(100):
        stage.down()
    assert stage.dropped("unproved") > 0
    assert stage.up(ALICE, answer(SUCCESS, asked)) == CARD
    assert stage.down() == ALICE


def test_only_an_address_that_the_card_has_confirmed_can_shake_hands() -> None:
    stage = Stage()
    stage.check(ALICE, nominated=True)
    assert stage.up(MALLORY, DTLS) is None
    assert stage.up(ALICE_MOVED, DTLS) is None
    assert stage.down(DTLS) == ALICE


def test_an_address_in_use_is_not_moved_to_another_peer() -> None:
    """Mallory, with a call of his own, asks in Alice's name."""
    stage = Stage()
    stage.connect(ALICE)
    stage.connect(MALLORY, OTHER_CARD)
    stage.check(ALICE, port=OTHER_CARD, nominated=True)
    assert (stage.up(ALICE), stage.down()) == (CARD, ALICE)
    assert stage.down(port=OTHER_CARD) == MALLORY
    assert stage.dropped("occupied") == 1


def test_questions_without_an_answer_are_bounded() -> None:
    stage = Stage()
    first = stage.ask(ALICE)
    for number in range(MAX_ASKED):
        stage.ask(("198.51.100.9", number))
    assert stage.table.counters["relay_asked_overflow_total"] == 1
    assert stage.down(answer(SUCCESS, first)) is None


def test_one_peer_can_not_fill_the_table() -> None:
    stage = Stage()
    stage.connect(ALICE)
    for number in range(5 * FLOWS_PER_PEER):
        stage.now += 0.01
        stage.up(ALICE)
        stage.check(("198.51.100.9", number))
    assert stage.table.flows == FLOWS_PER_PEER
    assert stage.down() == ALICE


def test_a_full_table_gives_up_who_has_left() -> None:
    stage = Stage(max_flows=2)
    stage.check(ALICE)
    stage.check(ALICE_MOVED)
    stage.now += ABANDONED_S / 2
    stage.up(ALICE)
    stage.now += ABANDONED_S / 2
    stage.check(MALLORY, port=OTHER_CARD)
    assert stage.dropped("full") == 0
    assert stage.table.confirmed(ALICE), "it was heard lately"
    assert not stage.table.confirmed(ALICE_MOVED)


def test_a_full_table_takes_nobody_in() -> None:
    stage = Stage(max_flows=1)
    stage.connect(ALICE)
    stage.check(MALLORY, port=OTHER_CARD)
    assert (stage.up(MALLORY), stage.down(port=OTHER_CARD)) == (None, None)
    assert stage.dropped("full") == 1


def test_a_request_of_the_card_is_no_answer() -> None:
    """Even if its transaction is one that a client has chosen."""
    stage = Stage()
    transaction = stage.ask(MALLORY)
    assert stage.down(message(REQUEST, transaction)) is None
    assert stage.table.flows == 0
