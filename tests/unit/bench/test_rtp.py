"""What a caller sends, and how it judges what it hears."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bench.rtp import (
    CLICK_HALF_PERIODS,
    LOUD_SAMPLES,
    PACKET_SAMPLES,
    PACKETS_PER_SECOND,
    Reception,
    Sender,
    click_kind,
    click_payload,
)
from gateway.core.audio import PcmFormat, WireFormat
from gateway.media.g711 import ulaw_decode, ulaw_encode
from gateway.media.transcoder import decoder, encoder

KINDS = range(len(CLICK_HALF_PERIODS))
QUIET = b"\xff" * PACKET_SAMPLES


def packet(seq: int, payload: bytes = QUIET, ssrc: int = 7, payload_type: int = 0) -> bytes:
    """An RTP packet as a far end sends it."""
    header = struct.pack("!BBHII", 0x80, payload_type, seq & 0xFFFF, seq * 160 & 0xFFFFFFFF, ssrc)
    return header + payload


def packets(stream: bytes) -> list[bytes]:
    return [stream[at : at + PACKET_SAMPLES] for at in range(0, len(stream), PACKET_SAMPLES)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_click_is_known_by_its_pitch_however_it_is_cut(kind: int) -> None:
    stream = QUIET + click_payload(kind) + QUIET
    for cut in range(LOUD_SAMPLES, 2 * PACKET_SAMPLES - LOUD_SAMPLES):
        assert click_kind(stream[cut : cut + PACKET_SAMPLES]) == kind, cut


@pytest.mark.parametrize("kind", KINDS)
def test_a_click_survives_linear_pcm_at_24_khz(kind: int) -> None:
    leg = PcmFormat(8000)
    up, down = encoder(leg, WireFormat.PCM24K), decoder(WireFormat.PCM24K, leg)
    heard = b"".join(
        ulaw_encode(down.process(up.process(ulaw_decode(frame))))
        for frame in (QUIET, click_payload(kind), QUIET, QUIET)
    )
    found = [click_kind(frame) for frame in packets(heard)]
    assert found[0] is None
    assert kind in found
    assert set(found) == {kind, None}


@given(st.binary(max_size=200))
def test_any_payload_is_a_known_click_or_none(payload: bytes) -> None:
    assert click_kind(payload) in {None, *KINDS}


def test_silence_is_quiet_in_both_of_its_codes() -> None:
    assert click_kind(b"\xff\x7f" * 80) is None


def test_the_sender_clicks_once_a_second_with_alternating_pitch() -> None:
    sender = Sender(ssrc=5, first_seq=65530, click_phase=7)
    sent = [sender.next_packet() for _ in range(3 * PACKETS_PER_SECOND)]
    assert [(n, kind) for n, (_, kind) in enumerate(sent) if kind is not None] == [(7, 0), (57, 1), (107, 0)]
    for data, kind in sent:
        assert click_kind(data[12:]) == kind
    headers = [struct.unpack("!BBHII", data[:12]) for data, _ in sent]
    assert [marker >> 7 for _, marker, *_ in headers] == [1] + [0] * 149
    for (*_, seq, timestamp, ssrc), (*_, next_seq, next_timestamp, _) in pairwise(headers):
        assert ((next_seq - seq) & 0xFFFF, (next_timestamp - timestamp) & 0xFFFFFFFF, ssrc) == (1, 160, 5)


def hear(reception: Reception, *sequence: int, start_s: float = 0.0) -> None:
    for n, seq in enumerate(sequence):
        reception.on_packet(packet(seq), start_s + n * 0.02)


def test_gaps_and_first_packet() -> None:
    reception = Reception()
    for seq, at_s in enumerate((5.0, 5.02, 5.05)):
        reception.on_packet(packet(seq), at_s)
    assert list(reception.gaps_s) == pytest.approx([0.02, 0.03])
    assert (reception.first_packet_s, reception.received, reception.lost) == (5.0, 3, 0)


@pytest.mark.parametrize(
    ("sequence", "lost", "duplicates"),
    [
        ((10, 11, 12), 0, 0),
        ((10, 13), 2, 0),
        ((10, 12, 11, 13), 0, 0),
        ((10, 11, 11, 13), 1, 1),
        ((65534, 65535, 0, 2), 1, 0),
    ],
)
def test_loss_is_what_never_came(sequence: tuple[int, ...], lost: int, duplicates: int) -> None:
    reception = Reception()
    hear(reception, *sequence)
    assert (reception.lost, reception.duplicates) == (lost, duplicates)


def test_a_new_source_is_not_taken_for_loss() -> None:
    reception = Reception()
    hear(reception, 10, 11)
    reception.on_packet(packet(9000, ssrc=8), 0.04)
    reception.on_packet(packet(9002, ssrc=8), 0.06)
    assert (reception.received, reception.lost) == (4, 1)


def test_what_came_before_the_measurement_does_not_count() -> None:
    reception = Reception()
    hear(reception, 10, 15)
    reception.restart(1.0)
    hear(reception, 16, start_s=0.99)
    hear(reception, 20, 21, 23, start_s=1.0)
    assert (reception.received, reception.lost) == (3, 1)
    assert list(reception.gaps_s) == pytest.approx([0.02, 0.02])
    reception.stop()
    hear(reception, 30, start_s=2.0)
    assert (reception.received, reception.lost) == (3, 1)


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x00", packet(1)[:12], packet(1, payload_type=101), b"\x80\xc8" * 20]
)
def test_what_is_no_g711_rtp_is_ignored(data: bytes) -> None:
    reception = Reception()
    reception.on_packet(data, 1.0)
    assert (reception.received, reception.first_packet_s) == (0, None)


def test_a_click_over_two_packets_gives_one_round_trip() -> None:
    reception = Reception()
    reception.on_click_sent(0, 1.0)
    stream = (QUIET * 2)[:200] + click_payload(0) + QUIET
    for seq, payload in enumerate(packets(stream)[:4]):
        reception.on_packet(packet(seq, payload), 1.02 + seq * 0.02)
    assert list(reception.round_trips_s) == pytest.approx([0.04])


def test_a_click_that_is_late_by_more_than_a_second_is_not_taken_for_the_next() -> None:
    reception = Reception()
    reception.on_click_sent(0, 1.0)
    reception.on_click_sent(1, 2.0)
    reception.on_packet(packet(1, click_payload(0)), 2.1)
    reception.on_packet(packet(2), 2.12)
    reception.on_packet(packet(3, click_payload(1)), 3.1)
    assert list(reception.round_trips_s) == pytest.approx([1.1, 1.1])
    assert reception.clicks_lost == 0


def test_a_click_not_heard_for_two_seconds_is_lost() -> None:
    reception = Reception()
    for second in range(5):
        reception.on_click_sent(second % 2, float(second))
    assert (reception.clicks_lost, len(reception.round_trips_s)) == (3, 0)


def test_a_click_nobody_sent_is_no_round_trip() -> None:
    reception = Reception()
    reception.on_packet(packet(1, click_payload(1)), 1.0)
    assert len(reception.round_trips_s) == 0
