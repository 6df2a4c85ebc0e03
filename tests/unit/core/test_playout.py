"""The playout buffer, driven by virtual ticks."""

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.audio import PcmFormat
from gateway.core.ids import Mark
from gateway.core.playout import NO_MARK, FlushResult, MarkFinished, MarkStarted, Playout

FORMAT = PcmFormat(8000)
FRAME = FORMAT.frame_bytes
ONE, TWO = Mark(1), Mark(2)


def tone(n_bytes: int, level: int = 1000) -> bytes:
    return array("h", [level] * (n_bytes // 2)).tobytes()


def frames(playout: Playout, count: int) -> list[bytes | None]:
    return [playout.next_frame() for _ in range(count)]


def test_an_empty_buffer_gives_silence_and_no_underrun() -> None:
    playout = Playout(FORMAT)
    assert frames(playout, 3) == [None] * 3
    assert playout.underruns == 0
    assert playout.flush() == FlushResult(NO_MARK, 0, 0)


def test_chunks_of_any_length_become_whole_frames_in_order() -> None:
    playout = Playout(FORMAT)
    audio = bytes(i % 251 for i in range(FRAME * 3))
    for start, end in ((0, 10), (10, 700), (700, len(audio))):
        playout.play(audio[start:end], ONE, last=end == len(audio))
    heard = frames(playout, 3)
    assert b"".join(f for f in heard if f) == audio
    assert playout.take_events() == [MarkStarted(ONE), MarkFinished(ONE, 60)]


def test_the_rest_of_a_closed_mark_is_padded_with_silence() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(100), ONE, last=True)
    assert playout.next_frame() == tone(100) + bytes(FRAME - 100)
    assert playout.take_events() == [MarkStarted(ONE), MarkFinished(ONE, round(100 / 16))]
    assert playout.underruns == 0


def test_marks_follow_each_other_without_a_gap() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(100, 1), ONE, last=True)
    playout.play(tone(FRAME, 2), TWO, last=True)
    assert playout.next_frame() == tone(100, 1) + tone(FRAME - 100, 2)
    assert playout.take_events() == [MarkStarted(ONE), MarkFinished(ONE, 6), MarkStarted(TWO)]


def test_running_dry_in_an_open_mark_counts_once_per_gap() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME + 50), ONE)
    assert frames(playout, 5) == [tone(FRAME), None, None, None, None]
    assert playout.underruns == 1
    playout.play(tone(FRAME - 50), ONE)
    assert frames(playout, 3) == [tone(FRAME), None, None]
    assert playout.underruns == 2
    playout.play(b"", ONE, last=True)
    assert frames(playout, 2) == [None, None]
    assert playout.underruns == 2
    assert playout.take_events() == [MarkStarted(ONE), MarkFinished(ONE, 40)]


def test_how_long_it_ran_dry_is_counted_up_to_a_second_per_gap() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME), ONE)
    frames(playout, 11)
    assert playout.starved_ms == 200
    playout.play(tone(FRAME), ONE)
    frames(playout, 101)
    assert playout.starved_ms == 1200, "a far end that says nothing for long is merely silent"
    playout.play(b"", ONE, last=True)
    frames(playout, 10)
    assert playout.starved_ms == 1200


def test_a_mark_that_was_never_closed_gives_way_to_the_next() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME), ONE)
    frames(playout, 2)
    playout.play(tone(FRAME), TWO, last=True)
    assert playout.next_frame() == tone(FRAME)
    assert playout.take_events() == [MarkStarted(ONE), MarkStarted(TWO), MarkFinished(TWO, 20)]


def test_a_mark_closed_without_audio_finishes_at_once() -> None:
    playout = Playout(FORMAT)
    playout.play(b"", ONE, last=True)
    assert playout.take_events() == [MarkFinished(ONE, 0)]


def test_flush_says_what_was_heard_and_ramps_down() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME * 10), ONE)
    playout.play(tone(FRAME * 10), TWO)
    frames(playout, 3)
    assert playout.flush() == FlushResult(ONE, 64, 336)
    last = playout.next_frame()
    assert last is not None
    samples = array("h", last)
    assert samples[0] > 900
    assert all(a >= b for a, b in pairwise(samples))
    assert set(samples[32:]) == {0}
    assert playout.next_frame() is None
    assert MarkFinished(ONE, 64) not in playout.take_events()


def test_flush_before_anything_was_heard_makes_no_sound() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME), ONE)
    assert playout.flush() == FlushResult(ONE, 0, 20)
    assert playout.next_frame() is None


def test_new_audio_starts_right_after_the_ramp() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME * 3), ONE)
    frames(playout, 1)
    playout.flush()
    playout.play(tone(FRAME, 7), TWO)
    frame = playout.next_frame()
    assert frame is not None
    assert frame[64:] == tone(FRAME - 64, 7)


def test_flush_of_a_dry_open_mark_still_names_it() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME * 2), ONE)
    frames(playout, 4)
    assert playout.flush() == FlushResult(ONE, 40, 0)
    assert playout.flush() == FlushResult(NO_MARK, 0, 0)


def test_pause_keeps_the_queue_and_is_no_underrun() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME * 2), ONE, last=True)
    frames(playout, 1)
    playout.pause()
    assert frames(playout, 5) == [None] * 5
    assert playout.queued_ms == 20
    playout.resume()
    assert playout.next_frame() == tone(FRAME)
    assert playout.underruns == 0


def test_flush_ends_a_pause() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME * 2), ONE)
    frames(playout, 1)
    playout.pause()
    assert playout.flush() == FlushResult(ONE, 20, 20)
    playout.play(tone(FRAME), TWO)
    assert playout.next_frame() == tone(FRAME)


def test_overflow_drops_the_newest_audio_and_counts_it() -> None:
    playout = Playout(FORMAT, limit_ms=40)
    playout.play(tone(FRAME, 1), ONE)
    playout.play(tone(FRAME * 3, 2), ONE, last=True)
    assert playout.overflow_ms == 40
    assert frames(playout, 3) == [tone(FRAME, 1), tone(FRAME, 2), None]
    assert playout.take_events() == [MarkStarted(ONE), MarkFinished(ONE, 40)]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="whole samples"):
        Playout(FORMAT).play(b"\0", ONE)


STEP = st.one_of(
    st.tuples(st.just("play"), st.integers(0, 1200), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("tick"), st.integers(1, 6), st.just(0), st.just(False)),
    st.tuples(st.sampled_from(["flush", "pause", "resume"]), st.just(0), st.just(0), st.just(False)),
)


@given(st.lists(STEP, max_size=60))
def test_no_audio_is_lost_or_invented(steps: list[tuple[str, int, int, bool]]) -> None:
    playout = Playout(FORMAT, limit_ms=200)
    received = flushed = 0
    finished: list[Mark] = []
    for action, amount, mark, last in steps:
        if action == "play":
            received += amount * 2
            playout.play(tone(amount * 2), Mark(mark), last=last)
        elif action == "tick":
            assert all(f is None or len(f) == FRAME for f in frames(playout, amount))
        elif action == "flush":
            before, fed = playout.queued_bytes, playout.played_bytes
            playout.flush()
            flushed += before - (playout.played_bytes - fed)
            assert playout.queued_bytes == 0
        else:
            getattr(playout, action)()
        finished += [e.mark for e in playout.take_events() if isinstance(e, MarkFinished)]
    overflow = playout.overflow_ms * FORMAT.sample_rate_hz * 2 / 1000
    assert (
        abs(
            playout.played_bytes
            + playout.skipped_bytes
            + flushed
            + playout.queued_bytes
            + overflow
            - received
        )
        <= 8
    )
    assert playout.queued_bytes <= 200 // 20 * FRAME
    assert len(finished) <= sum(last for *_, last in steps)


def test_a_real_time_source_that_hiccups_is_late_only_until_the_next_pause() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME), ONE)
    assert playout.next_frame() is not None
    assert frames(playout, 3) == [None] * 3
    playout.play(tone(FRAME) * 4, ONE)  # what the hiccup held back, and this tick's frame
    delays_ms = []
    for _ in range(20):
        delays_ms.append(playout.queued_ms)
        playout.next_frame()
        playout.play(tone(FRAME, level=5), ONE)
    assert delays_ms[0] == 80
    assert delays_ms[-1] == 20
    assert playout.skipped_bytes == 3 * FRAME


def test_words_are_never_skipped_to_catch_up() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME), ONE)
    frames(playout, 4)
    playout.play(tone(FRAME) * 10, ONE, last=True)
    assert len([f for f in frames(playout, 12) if f]) == 10
    assert playout.skipped_bytes == 0


def test_a_source_ahead_of_real_time_keeps_its_pauses() -> None:
    playout = Playout(FORMAT)
    playout.play(tone(FRAME) + bytes(FRAME * 20) + tone(FRAME), ONE, last=True)
    assert len([f for f in frames(playout, 30) if f is not None]) == 22
