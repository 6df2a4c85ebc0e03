"""The flow table: who gets through, and who gets the downlink."""

from gateway.edge.relay.flows import ANSWER_S, IDLE_S, SILENT_S, FlowTable
from tests.unit.edge.relay.flow_stage import (
    ALICE,
    ALICE_MOVED,
    CARD,
    DTLS,
    MALLORY,
    OTHER_CARD,
    RTP,
    SECRET,
    Stage,
)
from tests.unit.edge.relay.messages import SUCCESS, answer


def test_media_flows_both_ways_once_the_card_has_confirmed() -> None:
    stage = Stage()
    stage.connect(ALICE)
    assert (stage.up(ALICE), stage.down()) == (CARD, ALICE)
    assert (stage.up(ALICE, DTLS), stage.down(DTLS)) == (CARD, ALICE)
    assert (stage.table.flows, stage.table.peers) == (1, 1)


def test_nothing_passes_before_the_card_has_confirmed() -> None:
    stage = Stage()
    stage.ask(ALICE)
    assert stage.up(ALICE) is None
    assert stage.up(ALICE, answer(SUCCESS, bytes(12))) is None
    assert stage.down() is None
    assert (stage.dropped("unconfirmed"), stage.dropped("unrouted")) == (2, 1)
    assert stage.table.flows == 0


def test_only_dtls_rtp_and_stun_pass() -> None:
    stage = Stage()
    stage.connect(ALICE)
    for first in (4, 19, 64, 127, 192, 255):
        assert stage.up(ALICE, bytes([first]) + bytes(50)) is None
    assert stage.up(ALICE, b"") is None
    assert stage.up(ALICE, b"\x00\x01 no STUN") is None


def test_a_tcp_connection_needs_no_further_proof() -> None:
    stage = Stage()
    stage.check(7)
    assert all(stage.down() == 7 for _ in range(100))
    stage.table.forget(7)
    assert stage.down() is None
    assert (stage.table.flows, stage.table.peers) == (0, 0)
    stage.table.forget(7)


def test_a_nat_that_rebinds_is_followed_at_the_next_check() -> None:
    stage = Stage()
    stage.connect(ALICE)
    assert stage.up(ALICE_MOVED) is None
    assert stage.down() == ALICE
    stage.now += 2.5
    stage.check(ALICE_MOVED)
    assert (stage.up(ALICE_MOVED), stage.down()) == (CARD, ALICE_MOVED)
    assert stage.table.counters["relay_route_switches_total"] == 1


def test_symmetric_media_is_not_held_back_while_the_new_address_is_unproved() -> None:
    stage = Stage()
    stage.connect(ALICE)
    stage.now += 2.5
    stage.check(ALICE_MOVED)
    for _ in range(500):
        assert (stage.up(ALICE_MOVED), stage.down()) == (CARD, ALICE_MOVED)


def test_of_two_live_addresses_the_nominated_one_gets_the_downlink() -> None:
    stage = Stage()
    stage.check(ALICE)
    stage.check(ALICE_MOVED)
    assert stage.down() == ALICE
    stage.check(ALICE_MOVED, nominated=True)
    assert stage.down() == ALICE_MOVED
    stage.check(ALICE)
    assert stage.down() == ALICE_MOVED
    assert (stage.up(ALICE), stage.up(ALICE_MOVED)) == (CARD, CARD)


def test_the_handshake_is_answered_where_it_comes_from() -> None:
    stage = Stage()
    # A browser with two addresses nominates both while it waits for the first answer.
    stage.check(ALICE, nominated=True)
    stage.check(ALICE_MOVED, nominated=True)
    assert stage.up(ALICE, DTLS) == CARD
    assert stage.down(DTLS) == ALICE
    stage.prove(ALICE)


def test_a_handshake_in_the_middle_of_a_call_moves_nothing() -> None:
    stage = Stage()
    stage.connect(ALICE)
    stage.check(ALICE_MOVED)
    assert stage.up(ALICE, RTP) == CARD
    assert stage.up(ALICE_MOVED, DTLS) == CARD
    assert stage.down() == ALICE


def test_an_address_that_fell_silent_may_begin_another_call() -> None:
    stage = Stage()
    stage.connect(ALICE)
    stage.now += SILENT_S
    stage.connect(ALICE, OTHER_CARD)
    assert (stage.up(ALICE), stage.down(port=OTHER_CARD), stage.down()) == (OTHER_CARD, ALICE, None)


def test_a_new_table_knows_everything_again_after_one_check() -> None:
    stage = Stage()
    stage.connect(ALICE)
    stage.table = FlowTable(SECRET, max_flows=100)
    assert (stage.up(ALICE), stage.down()) == (None, None)
    stage.check(ALICE)
    assert (stage.up(ALICE), stage.down()) == (CARD, ALICE)


def test_silence_ends_a_flow_and_traffic_keeps_it() -> None:
    stage = Stage()
    stage.connect(ALICE)
    stage.connect(MALLORY, OTHER_CARD)
    for _ in range(10):
        stage.now += IDLE_S / 5
        stage.up(ALICE)
        stage.table.sweep(stage.now)
    assert (stage.down(), stage.down(port=OTHER_CARD)) == (ALICE, None)
    assert (stage.table.flows, stage.table.peers) == (1, 1)


def test_when_the_routed_address_goes_the_one_heard_last_takes_over() -> None:
    stage = Stage()
    stage.check(7)
    stage.check(ALICE)
    assert stage.down() == 7
    stage.table.forget(7)
    assert stage.down() == ALICE


def test_a_late_answer_commits_nothing() -> None:
    stage = Stage()
    transaction = stage.ask(ALICE)
    stage.now += ANSWER_S
    stage.table.sweep(stage.now)
    assert stage.down(answer(SUCCESS, transaction)) is None
    assert stage.table.flows == 0
