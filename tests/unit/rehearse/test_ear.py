"""What a phone plays of what it got."""

from dataclasses import replace

import numpy as np
import pytest

from gateway.rehearse.ear import DEPTH_MAX_S, listen
from tests.unit.rehearse.lines import ANSWERED_S, agent, packets

END_S = ANSWERED_S + 12


def test_all_packets_in_time_give_the_line_back() -> None:
    line = agent((1.0, 5.0))
    heard = listen(packets(line), ANSWERED_S, END_S)
    assert (heard.expected, heard.lost, heard.late, heard.gaps) == (600, 0, 0, ())
    assert heard.depth_ms == pytest.approx(0, abs=0.1)
    # µ-law is exact to 3 % of the value or so.
    assert np.abs(heard.samples[: len(line)] - line).max() < 200


def test_packets_in_another_order_are_put_right() -> None:
    line = agent((1.0, 5.0))
    late = np.zeros(600)
    late[100] = 0.03
    heard = listen(packets(line, late), ANSWERED_S, END_S)
    assert (heard.lost, heard.late) == (0, 0)
    assert heard.depth_ms == pytest.approx(30, abs=0.1)
    assert np.abs(heard.samples[240 : len(line)] - line[:-240]).max() < 200


def test_a_packet_beyond_the_buffer_is_late_and_made_up_for() -> None:
    late = np.zeros(600)
    late[100:104] = 0.5
    heard = listen(packets(agent((1.0, 5.0)), late), ANSWERED_S, END_S)
    assert (heard.lost, heard.late) == (0, 4)
    assert heard.missing_share == pytest.approx(4 / 600)
    assert heard.depth_ms <= DEPTH_MAX_S * 1000
    ((begin_s, end_s),) = heard.gaps
    assert end_s - begin_s == pytest.approx(0.08, abs=0.001)
    gap = heard.samples[round((begin_s - ANSWERED_S) * 8000) :][:640]
    assert np.abs(gap[:160]).max() > 500
    assert not gap[200:].any()


def test_lost_packets_are_told_from_a_sender_that_is_silent() -> None:
    sent = packets(agent((1.0, 5.0)))
    lost = [packet for n, packet in enumerate(sent) if n % 20]
    assert listen(lost, ANSWERED_S, END_S).lost == 29  # the first one is not missed
    silent = [*sent[:100], *(replace(packet, seq=(packet.seq - 50) % 2**16) for packet in sent[150:])]
    heard = listen(silent, ANSWERED_S, END_S)
    assert (heard.lost, heard.gaps) == (0, ())


def test_another_stream_begins_anew() -> None:
    sent = packets(agent((1.0, 5.0)))
    other = [
        replace(p, ssrc=9, timestamp=(p.timestamp + 10**6) % 2**32, seq=(p.seq + 20_000) % 2**16)
        for p in sent[300:]
    ]
    heard = listen([*sent[:300], *other], ANSWERED_S, END_S)
    assert (heard.expected, heard.lost, heard.late) == (listen(sent, ANSWERED_S, END_S).expected, 0, 0)


def test_nothing_is_silence() -> None:
    heard = listen([], ANSWERED_S, END_S)
    assert len(heard.samples) == 12 * 8000
    assert not heard.samples.any()
    assert heard.missing_share == 0


def test_a_sender_whose_clock_slips_is_followed() -> None:
    line = agent((1.0, 11.0))
    late = np.zeros(600)
    for slip in range(1, 11):  # 100 ms every second, each of which stays
        late[slip * 53 :] += 0.1
    heard = listen(packets(line, late), ANSWERED_S, END_S + 1)
    assert heard.lost == 0
    assert heard.late < 600 * 0.05
    assert heard.depth_ms <= DEPTH_MAX_S * 1000
    # What is said at the end is heard when it comes, all slips later.
    end = np.flatnonzero(np.abs(heard.samples) > 500).max() / 8000
    assert end == pytest.approx(12.0, abs=0.22)
