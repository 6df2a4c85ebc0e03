"""Live runs of the playout buffer: two clocks, gaps and jams, in virtual time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import pytest

from gateway.core.audio import PcmFormat
from gateway.core.ids import Mark
from gateway.core.playout import FlushResult, MarkFinished, MarkStarted, Playout

FORMAT = PcmFormat(8000)
FRAME = FORMAT.frame_bytes
ONE, TWO = Mark(1), Mark(2)
HOUR_TICKS = 180_000
TONE_HZ, AMPLITUDE = 440, 8000
STEP = 2 * np.pi * TONE_HZ / FORMAT.sample_rate_hz * AMPLITUDE
"""The largest step between two samples of the tone."""


def _cycle() -> list[bytes]:
    """Five frames hold 44 whole periods of 440 Hz, so that they can be repeated for ever."""
    angle = 2 * np.pi * TONE_HZ * np.arange(5 * FORMAT.frame_samples) / FORMAT.sample_rate_hz
    pcm = np.round(AMPLITUDE * np.sin(angle)).astype("<i2").tobytes()
    return [pcm[at : at + FRAME] for at in range(0, len(pcm), FRAME)]


TONE = _cycle()


def level(value: int) -> bytes:
    return np.full(FORMAT.frame_samples, value, "<i2").tobytes()


@dataclass
class Ear:
    """What is heard: the largest step, silent frames, and the depth behind each frame."""

    largest_step: int = 0
    silent: int = 0
    depths_ms: list[int] = field(default_factory=list)
    _end: int = 0

    def hear(self, frame: bytes | None, depth_ms: int) -> None:
        samples = np.frombuffer(frame or bytes(FRAME), "<i2").astype(np.int32)
        steps = np.abs(np.diff(samples, prepend=self._end))
        self.largest_step = max(self.largest_step, int(steps.max()))
        self._end = int(samples[-1])
        self.silent += frame is None
        self.depths_ms.append(depth_ms)


def arrivals(ppm: float, late_s: Callable[[int], float]) -> Iterator[float]:
    """When the source's frames come, in seconds of the listener's clock."""
    newest = 0.0
    for number in count():
        newest = max(newest, number * 0.02 * (1 - ppm * 1e-6) + late_s(number))
        yield newest


def run(playout: Playout, ticks: int, ppm: float, late_s: Callable[[int], float] = lambda _: 0.0) -> Ear:
    """The source's tone through the buffer for so many of the listener's ticks."""
    ear, frames = Ear(), iter(enumerate(arrivals(ppm, late_s)))
    number, due_s = next(frames)
    for tick in range(ticks):
        now = 0.007 + tick * 0.02
        while due_s <= now:
            playout.play(TONE[number % 5], ONE, live=True)
            number, due_s = next(frames)
        frame = playout.next_frame()
        ear.hear(frame, playout.queued_ms)
    return ear


def test_a_live_run_starts_with_a_small_cushion_and_keeps_it() -> None:
    playout = Playout(FORMAT)
    playout.play(level(5), ONE, live=True)
    assert playout.next_frame() is None
    playout.play(level(6), ONE, live=True)
    assert playout.next_frame() is not None
    assert playout.take_events() == [MarkStarted(ONE)]
    for value in range(7, 60):
        playout.play(level(value), ONE, live=True)
        assert playout.next_frame() == level(value - 1)
        assert playout.queued_ms == 20
    assert playout.underruns == 0


@pytest.mark.parametrize("ppm", [-200.0, -20.0, 0.0, 20.0, 200.0])
def test_clocks_apart_neither_add_delay_nor_click_in_an_hour(ppm: float) -> None:
    playout = Playout(FORMAT)
    ear = run(playout, HOUR_TICKS, ppm)
    assert max(ear.depths_ms) <= 40
    slips = round(3600 * abs(ppm) * 1e-6 / 0.02)
    assert playout.live_spliced == pytest.approx(slips if ppm > 0 else 0, abs=1)
    assert playout.live_stretched == pytest.approx(slips if ppm < 0 else 0, abs=1)
    assert (playout.live_repeated, playout.live_dropped) == (0, 0)
    assert ear.silent == 1
    assert ear.largest_step <= 1.1 * STEP


@pytest.mark.parametrize("ppm", [-200.0, 200.0])
def test_jitter_of_another_card_costs_little_and_never_clicks(ppm: float) -> None:
    random = np.random.default_rng(3)
    late_s = random.uniform(0, 0.015, HOUR_TICKS + 1000)
    playout = Playout(FORMAT)
    ear = run(playout, HOUR_TICKS // 4, ppm, lambda number: float(late_s[number]))
    assert max(ear.depths_ms) <= 60
    assert playout.live_dropped == 0
    assert playout.live_repeated <= 1
    assert ear.largest_step <= 1.1 * STEP


def test_a_gap_is_an_echo_then_silence_then_the_cushion_again() -> None:
    playout = Playout(FORMAT)
    ear = run(playout, 400, 0.0, lambda number: 0.2 if 100 <= number < 110 else 0.0)
    assert playout.live_repeated == 1
    assert 5 <= ear.silent <= 12
    assert max(ear.depths_ms) <= 80
    assert ear.depths_ms[-1] == 20
    assert ear.largest_step <= 1.1 * STEP


def test_a_jam_is_cut_to_the_limit_and_then_spliced_away() -> None:
    playout = Playout(FORMAT)
    ear = run(playout, 500, 0.0, lambda number: 0.5 if number == 100 else 0.0)
    assert playout.live_dropped > 0
    assert playout.live_spliced >= 1
    assert max(ear.depths_ms) <= 80
    assert ear.depths_ms[-1] == 20
    assert ear.largest_step <= 1.1 * STEP


def test_a_jam_while_playing_is_cut_without_a_click() -> None:
    playout, ear, said = Playout(FORMAT), Ear(), count()
    for tick in range(300):
        for _ in range(9 if tick == 30 else 1):
            playout.play(TONE[next(said) % 5], ONE, live=True)
        ear.hear(playout.next_frame(), playout.queued_ms)
    assert playout.live_dropped == 6  # one waited, nine came, four may wait
    assert ear.depths_ms[30] == 60
    assert ear.depths_ms[-1] == 20
    assert playout.live_spliced == 2
    assert ear.largest_step <= 1.1 * STEP


def test_a_frame_that_nothing_follows_is_heard_all_the_same() -> None:
    playout = Playout(FORMAT)
    playout.play(level(900), ONE, live=True)
    heard = [playout.next_frame() for _ in range(10)]
    assert sum(frame is not None for frame in heard) == 2  # the frame and its echo
    assert playout.drained


def test_a_closed_live_run_is_played_to_its_end() -> None:
    playout = Playout(FORMAT)
    playout.play(level(1), ONE, live=True)
    playout.play(level(2), ONE, last=True, live=True)
    assert [playout.next_frame() for _ in range(3)] == [level(1), level(2), None]
    assert playout.take_events() == [MarkStarted(ONE), MarkFinished(ONE, 40)]


def test_a_burst_behind_a_live_run_plays_as_ever() -> None:
    playout = Playout(FORMAT)
    for value in (1, 2, 3):
        playout.play(level(value), ONE, live=True)
    playout.play(level(8) * 10, TWO, last=True)
    heard = [playout.next_frame() for _ in range(14)]
    assert heard == [level(value) for value in (1, 2, 3)] + [level(8)] * 10 + [None]
    assert playout.take_events() == [MarkStarted(ONE), MarkStarted(TWO), MarkFinished(TWO, 200)]


def test_live_speech_behind_a_burst_stays_short() -> None:
    playout = Playout(FORMAT)
    playout.play(level(8) * 20, ONE, last=True)
    for tick in range(20):
        playout.play(level(tick), TWO, live=True)
        assert playout.next_frame() == level(8)
    assert playout.queued_ms == 80
    playout.play(level(20), TWO, live=True)
    assert playout.next_frame() is not None
    assert playout.live_dropped == 17
    assert playout.queued_ms == 60


def test_the_same_mark_may_turn_live() -> None:
    playout = Playout(FORMAT)
    playout.play(level(8) * 2, ONE)
    playout.play(level(1), ONE, live=True)
    playout.play(level(2), ONE, live=True)
    assert [playout.next_frame() for _ in range(2)] == [level(8)] * 2
    assert playout.next_frame() is not None
    assert playout.queued_ms == 20


def test_flush_of_a_live_run_ramps_down_and_forgets_it() -> None:
    playout = Playout(FORMAT)
    for _ in range(3):
        playout.play(level(1000), ONE, live=True)
    playout.next_frame()
    assert playout.flush() == FlushResult(ONE, 24, 36)
    ramp = playout.next_frame()
    assert ramp is not None
    assert np.abs(np.diff(np.frombuffer(ramp, "<i2").astype(int), prepend=1000)).max() <= 40
    assert playout.next_frame() is None
    playout.play(level(3) * 3, TWO)
    assert playout.next_frame() == level(3)


def test_flush_in_a_gap_makes_no_sound() -> None:
    playout = Playout(FORMAT)
    for _ in range(2):
        playout.play(level(1000), ONE, live=True)
    for _ in range(4):
        playout.next_frame()
    playout.play(level(1000), ONE, live=True)
    assert playout.flush() == FlushResult(ONE, 40, 20)
    assert playout.next_frame() is None


def test_live_speech_goes_on_where_it_is_after_a_pause() -> None:
    playout = Playout(FORMAT)
    for value in range(10):
        playout.play(level(value), ONE, live=True)
        playout.next_frame()
    playout.pause()
    for value in range(10, 60):
        playout.play(level(value * 100), ONE, live=True)
        assert playout.next_frame() is None
    playout.resume()
    heard = [playout.next_frame() for _ in range(2)]
    assert heard[1] == level(5700)
    assert playout.queued_ms <= 80


def test_chunks_of_other_lengths_lose_nothing() -> None:
    playout, said, heard = Playout(FORMAT), b"", b""
    for tick in range(200):
        size = (96, 224)[tick % 2] * 2
        chunk = level(tick)[:size].ljust(size, b"\1")
        said += chunk
        playout.play(chunk, ONE, live=True)
        heard += playout.next_frame() or b""
    assert heard[FRAME:] == said[FRAME : len(heard)]
    assert len(said) - len(heard) <= 3 * FRAME
