"""RTP as the bench sends and judges it (RFC 3550, G.711 µ-law). Pure.

Each caller sends digital silence and one loud click a second. Clicks alternate between two pitches, so
that one which comes back late is not taken for the next: round trips up to two seconds are told apart.
"""

import struct
from array import array
from itertools import pairwise

PACKET_MS = 20
PACKETS_PER_SECOND = 1000 // PACKET_MS
PACKET_SAMPLES = 160
HEADER_BYTES = 12

_HEADER = struct.Struct("!BBHII")
_SILENCE = b"\xff" * PACKET_SAMPLES
_PLUS, _MINUS = 0x80, 0x00
"""µ-law codes of the largest positive and negative sample (G.711)."""

CLICK_HALF_PERIODS = (16, 4)
"""Samples per half wave of the two kinds of click: 250 Hz and 1 kHz."""
_CHANGES_PER_SAMPLE = 0.14
"""Between the 1/16 and the 1/4 sign changes per sample of the two kinds."""

_QUIET_CODES = bytes(code for code in range(256) if code & 0x7F >= 0x30)
"""Codes below about a tenth of full scale."""
LOUD_SAMPLES = 24
"""Fewer loud samples in a packet (3 ms) are the tail of a neighbour, not a click."""


def click_payload(kind: int) -> bytes:
    """One packet of full-scale square wave."""
    half = CLICK_HALF_PERIODS[kind]
    return bytes(_PLUS if n // half % 2 == 0 else _MINUS for n in range(PACKET_SAMPLES))


_CLICKS = tuple(click_payload(kind) for kind in range(len(CLICK_HALF_PERIODS)))


def click_kind(payload: bytes) -> int | None:
    """Which kind of click a µ-law payload holds, None when it is quiet."""
    loud = payload.translate(None, _QUIET_CODES)
    if len(loud) < LOUD_SAMPLES:
        return None
    changes = sum((a ^ b) >> 7 for a, b in pairwise(loud))
    return 1 if changes > _CHANGES_PER_SAMPLE * len(loud) else 0


class Sender:
    """The outgoing stream of one call."""

    def __init__(self, ssrc: int, first_seq: int, click_phase: int) -> None:
        """`click_phase`: which of the 50 packets of a second is the click."""
        self._ssrc, self._seq, self._timestamp = ssrc, first_seq, first_seq * PACKET_SAMPLES
        self._phase, self._n = click_phase, 0

    def next_packet(self) -> tuple[bytes, int | None]:
        """The next 20 ms and the kind of click in it, if any."""
        seconds, position = divmod(self._n, PACKETS_PER_SECOND)
        kind = seconds % len(_CLICKS) if position == self._phase else None
        return self.packet(_SILENCE if kind is None else _CLICKS[kind]), kind

    def packet(self, payload: bytes, payload_type: int = 0, *, begun_ago: int = 0) -> bytes:
        """The next 20 ms with this payload; `begun_ago`: packets since the event in it began (RFC 4733)."""
        marker = 0x80 if self._n == 0 else 0
        timestamp = (self._timestamp + (self._n - begun_ago) * PACKET_SAMPLES) & 0xFFFFFFFF
        header = _HEADER.pack(0x80, marker | payload_type, self._seq & 0xFFFF, timestamp, self._ssrc)
        self._n += 1
        self._seq += 1
        return header + payload


class Reception:
    """What one caller hears: gaps, loss and click round trips, since the last `restart`."""

    def __init__(self) -> None:
        self.first_packet_s: float | None = None
        self.last_packet_s: float | None = None
        self._begin_s = 0.0
        self._ssrc = -1
        self._highest_seq = 0
        self._loud_before = False
        self._sent_clicks: list[float | None] = [None] * len(_CLICKS)
        self.restart(0.0)

    def restart(self, now_s: float) -> None:
        """Begin a measurement: forget all figures, keep the stream's state.

        What arrived before and was not read yet does not count: a machine that stood still leaves a pile.
        """
        self._begin_s = now_s
        self.gaps_s = array("d")
        self.round_trips_s = array("d")
        self.clicks_lost = 0
        """Not heard two seconds after they were sent."""
        self.received = 0
        self.duplicates = 0
        self._expected = 0
        self._sent_clicks = [None] * len(_CLICKS)
        self._first_gap_pending = True
        self._measuring = True

    def stop(self) -> None:
        """End the measurement: the figures stay as they are."""
        self._measuring = False

    @property
    def lost(self) -> int:
        """Packets that never came (RFC 3550 A.3: expected less received)."""
        return max(0, self._expected - (self.received - self.duplicates))

    def on_click_sent(self, kind: int, now_s: float) -> None:
        """A packet with a click goes out now."""
        self.clicks_lost += self._sent_clicks[kind] is not None
        self._sent_clicks[kind] = now_s

    def on_packet(self, packet: bytes, now_s: float) -> None:
        """Take a datagram that arrived at `now_s`; what is not G.711 µ-law RTP is ignored."""
        if not self._measuring or now_s < self._begin_s or len(packet) <= HEADER_BYTES or packet[1] & 0x7F:
            return
        _, _, seq, _, ssrc = _HEADER.unpack_from(packet)
        self._count(seq, ssrc)
        if self.first_packet_s is None:
            self.first_packet_s = now_s
        if self._first_gap_pending:
            self._first_gap_pending = False
        elif self.last_packet_s is not None:
            self.gaps_s.append(now_s - self.last_packet_s)
        self.last_packet_s = now_s
        kind = click_kind(packet[HEADER_BYTES:])
        if kind is None:
            self._loud_before = False
            return
        sent_s = self._sent_clicks[kind]
        if not self._loud_before and sent_s is not None:
            self.round_trips_s.append(now_s - sent_s)
            self._sent_clicks[kind] = None
        self._loud_before = True

    def _count(self, seq: int, ssrc: int) -> None:
        self.received += 1
        step = (seq - self._highest_seq) & 0xFFFF
        if ssrc != self._ssrc or (self.received == 1 and self._expected == 0):
            # A stream, or a measurement, begins here: nothing before it can have been lost.
            self._ssrc, self._highest_seq = ssrc, seq
            self._expected += 1
        elif 0 < step < 0x8000:
            self._expected += step
            self._highest_seq = seq
        else:
            self.duplicates += step == 0
