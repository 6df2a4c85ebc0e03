"""Tick, packet time, frames for the core, limits and arrival counters."""

import pytest

from gateway.cards.webrtc.arrivals import Arrivals
from gateway.cards.webrtc.incoming import Incoming
from gateway.cards.webrtc.outgoing import SETTLING_FRAMES, Outgoing
from gateway.cards.webrtc.spread import DelaySpread
from gateway.cards.webrtc.tick import TickSchedule

FRAME = 640
LOUD = b"\1" * FRAME
SILENT = bytes(FRAME)


class TestTick:
    def test_a_late_tick_does_not_move_the_next_one(self) -> None:
        schedule = TickSchedule(0.02, 100.0)
        assert schedule.due(100.019) == 0
        assert schedule.due(100.033) == 1
        assert schedule.deadline_s == pytest.approx(100.04)
        assert schedule.due(100.04) == 1

    def test_it_keeps_time_over_an_hour(self) -> None:
        schedule = TickSchedule(0.02, 0.0)
        assert sum(schedule.due(k * 0.0199) for k in range(1, 180_906)) == int(180_905 * 0.0199 / 0.02)

    def test_a_long_pause_is_not_made_up_for_entirely(self) -> None:
        schedule = TickSchedule(0.02, 0.0)
        assert schedule.due(1.0) == 5
        assert schedule.jumped == 45
        assert schedule.deadline_s == pytest.approx(1.02)


class TestOutgoing:
    def test_silence_is_sent_for_as_long_as_there_is_nothing_to_say(self) -> None:
        outgoing = Outgoing(FRAME, 48000)
        said = [None, LOUD, *[None] * 200, LOUD]
        blocks = [block for block in map(outgoing.tick, said) if block]
        assert [block.pcm for block in blocks] == [frame or SILENT for frame in said]
        assert [block.timestamp for block in blocks] == [960 * k for k in range(len(said))]

    def test_silence_settles_after_a_while_and_speech_ends_that(self) -> None:
        outgoing = Outgoing(FRAME, 48000)
        said = [LOUD, *[None] * (SETTLING_FRAMES + 3), LOUD, None]
        settled = [block.settled for block in map(outgoing.tick, said) if block]
        assert settled == [False] * (1 + SETTLING_FRAMES) + [True] * 3 + [False] * 2

    def test_a_long_packet_is_settled_only_as_a_whole(self) -> None:
        outgoing = Outgoing(FRAME, 48000)
        outgoing.set_ptime(60)
        blocks = [block for block in map(outgoing.tick, [LOUD, *[None] * 35]) if block]
        assert [block.settled for block in blocks] == [False] * 9 + [True] * 3

    def test_longer_packets_begin_where_their_first_frame_does(self) -> None:
        outgoing = Outgoing(FRAME, 48000)
        outgoing.tick(None)
        outgoing.set_ptime(60)
        blocks = [outgoing.tick(LOUD) for _ in range(6)]
        sent = [block for block in blocks if block]
        assert [len(block.pcm) for block in sent] == [3 * FRAME] * 2
        assert sent[0].timestamp == 960
        assert sent[1].timestamp - sent[0].timestamp == 3 * 960

    def test_a_packet_that_was_begun_is_filled_up(self) -> None:
        outgoing = Outgoing(FRAME, 48000)
        outgoing.set_ptime(60)
        sent = [block for block in [outgoing.tick(f) for f in [LOUD, *[None] * 10]] if block]
        assert sent[0].pcm == LOUD + SILENT + SILENT
        assert [block.pcm for block in sent[1:]] == [SILENT * 3] * 2

    @pytest.mark.parametrize("ptime_ms", [0, 10, 30, 80])
    def test_other_packet_times_are_refused(self, ptime_ms: int) -> None:
        with pytest.raises(ValueError, match="no packet time"):
            Outgoing(FRAME, 48000).set_ptime(ptime_ms)


class TestIncoming:
    def test_what_came_goes_out_whole(self) -> None:
        incoming = Incoming(FRAME)
        incoming.push(LOUD * 2 + LOUD[:100])
        assert incoming.tick() == ([LOUD, LOUD], False)
        incoming.push(LOUD[100:])
        assert incoming.tick() == ([LOUD], False)

    def test_silence_comes_only_after_a_while_without_audio(self) -> None:
        incoming = Incoming(FRAME)
        ticks = [incoming.tick() for _ in range(8)]
        assert ticks[:6] == [([], False)] * 6
        assert ticks[6:] == [([SILENT], True)] * 2
        incoming.push(LOUD)
        assert incoming.tick() == ([LOUD], False)
        assert incoming.tick() == ([], False)

    def test_it_holds_a_second_and_drops_the_oldest(self) -> None:
        incoming = Incoming(FRAME)
        for number in range(60):
            incoming.push(bytes([number]) * FRAME)
        frames, _ = incoming.tick()
        assert (len(frames), frames[0][0], incoming.dropped_frames) == (50, 10, 10)


def test_arrivals_count_loss_across_the_wrap_and_measure_jitter() -> None:
    arrivals = Arrivals(8000)
    for k in range(1000):
        if k % 10 != 5:
            late_s = 0.010 if k % 2 else 0.0
            arrivals.add((65_000 + k) % 65536, k * 160, k * 0.02 + late_s)
    assert (arrivals.packets, arrivals.lost) == (900, 100)
    assert arrivals.jitter_ms == pytest.approx(9, abs=2)


def test_the_spread_does_not_care_where_the_timestamp_wraps() -> None:
    spread = DelaySpread(48000)
    start = (1 << 32) - 10 * 960
    for k in range(20):
        delay_s = spread.delay_s((start + k * 960) % (1 << 32), 50 + k * 0.02 + (0.03 if k == 15 else 0))
        spread.learn(delay_s)
    assert spread.peak_s == pytest.approx(0.03, abs=1e-3)


class TestDelayRise:
    RATE_HZ = 48_000

    def second(self, arrivals: Arrivals, number: int, delays_ms: list[float]) -> float | None:
        for index in range(50):
            at_s = number + index / 50
            delay_s = delays_ms[index % len(delays_ms)] / 1000
            arrivals.add(number * 50 + index, int(at_s * self.RATE_HZ), at_s + delay_s)
        return arrivals.delay_rise_ms(number + 1.0)

    def test_a_steady_path_does_not_rise(self) -> None:
        arrivals = Arrivals(self.RATE_HZ)
        assert [self.second(arrivals, number, [30]) for number in range(3)] == [0.0, 0.0, 0.0]

    def test_a_queue_is_seen_and_its_end_too(self) -> None:
        arrivals = Arrivals(self.RATE_HZ)
        rises = [self.second(arrivals, number, [delay]) for number, delay in enumerate((30, 130, 230, 30))]
        assert rises == [pytest.approx(ms, abs=0.1) for ms in (0, 100, 200, 0)]

    def test_jitter_is_no_rise(self) -> None:
        arrivals = Arrivals(self.RATE_HZ)
        self.second(arrivals, 0, [30])
        assert self.second(arrivals, 1, [30, 90, 45, 140]) == pytest.approx(0.0, abs=0.1)

    def test_what_was_fast_a_minute_ago_is_forgotten(self) -> None:
        arrivals = Arrivals(self.RATE_HZ)
        self.second(arrivals, 0, [30])
        rises = [self.second(arrivals, number, [80]) for number in range(1, 70)]
        assert rises[0] == pytest.approx(50.0, abs=0.1)
        assert rises[-1] == pytest.approx(0.0, abs=0.1)

    def test_without_packets_nothing_is_known(self) -> None:
        assert Arrivals(self.RATE_HZ).delay_rise_ms(1.0) is None


def test_runs_of_losses_are_counted() -> None:
    arrivals = Arrivals(8000)
    for sequence in (1, 2, 5, 6, 7, 9, 10):
        arrivals.add(sequence, sequence * 160, sequence * 0.02)
    assert (arrivals.lost, arrivals.loss_runs) == (3, 2)


@pytest.mark.parametrize(("late_by_s", "repaired"), [(0.01, 0), (0.06, 1)])
def test_what_was_sent_again_is_told_from_what_was_overtaken(late_by_s: float, repaired: int) -> None:
    arrivals = Arrivals(8000)
    for sequence in (65534, 65535, 1, 2):
        arrivals.add(sequence, 0, 1.0)
    arrivals.add(0, 0, 1.0 + late_by_s)
    arrivals.add(0, 0, 1.0 + late_by_s)
    assert (arrivals.lost, arrivals.repaired) == (0, repaired)
