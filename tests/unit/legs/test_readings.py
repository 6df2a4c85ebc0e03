"""Quality messages turned into readings."""

import msgspec

from gateway.core.ids import LegId
from gateway.core.quality.reading import StreamReading
from gateway.legs.readings import received, sent
from gateway.wire import card as wire

OLD = wire.Quality(
    leg=LegId(1),
    rx_packets=95,
    rx_lost=5,
    rx_discarded=2,
    rx_jitter_ms=3.5,
    jitter_buffer_ms=40.0,
    tx_packets=200,
    tx_lost=-1,
    tx_jitter_ms=0.0,
    rtt_ms=-1.0,
    underruns=0,
    playout_dropped_ms=0,
)


def test_what_a_card_does_not_know_stays_unknown() -> None:
    assert received(OLD) == StreamReading(
        expected=100, lost=5, discarded=2, jitter_ms=3.5, jitter_buffer_ms=40.0
    )
    assert sent(OLD) is None


def test_everything_that_a_card_knows_arrives() -> None:
    changes = {"rx_loss_runs": 2, "rx_concealed_ms": 60.0, "rx_delay_rise_ms": 0.0, "tx_reports": 3}
    full = wire.Quality(
        **{name: getattr(OLD, name) for name in OLD.__struct_fields__}
        | changes
        | {"tx_lost": 7, "rtt_ms": 25.0}
    )
    heard = received(full, stalled=True)
    assert (heard.loss_runs, heard.concealed_ms, heard.delay_rise_ms, heard.rtt_ms) == (2, 60.0, 0.0, 25.0)
    assert heard.stalled
    assert sent(full) == StreamReading(expected=200, lost=7, jitter_ms=0.0, rtt_ms=25.0, reports=3)


def test_what_came_only_when_asked_for_again_was_lost_on_the_way() -> None:
    full = msgspec.structs.replace(OLD, rx_repaired=4, tx_lost=2, tx_repaired=6)
    assert (received(full).lost, received(full).expected) == (9, 100)
    far = sent(full)
    assert far is not None
    assert far.lost == 6


def test_a_message_of_a_card_without_the_newer_fields_can_be_read() -> None:
    known = [getattr(OLD, name) for name in OLD.__struct_fields__[:-6]]
    assert wire.unpack_from_card(msgspec.msgpack.encode(["Quality", *known])) == OLD
