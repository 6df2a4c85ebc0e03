"""What is read from the levels that a page has written down."""

import pytest

from tests.bench.page_sound import GIVES_WAY_S, Row, buffer_ms, first_heard_ms, interruptions, onsets_s

_STEP_S = 0.01
_EPOCH_MS = 5000.0

Spans = list[tuple[float, float]]


def rows(own: Spans, far: Spans, length_s: float = 6.0) -> list[Row]:
    """Rows in which the sides are loud in these spans of seconds."""

    def level(spans: Spans, at_s: float) -> float:
        return -20.0 if any(begin <= at_s < end for begin, end in spans) else -90.0

    times_s = [step * _STEP_S for step in range(int(length_s / _STEP_S))]
    return [(at, _EPOCH_MS + at * 1000, level(own, at), level(far, at)) for at in times_s]


def test_the_first_sound_is_told_on_the_wall_clock() -> None:
    assert first_heard_ms(rows([], [(1.0, 2.0)])) == pytest.approx(_EPOCH_MS + 1000)
    assert first_heard_ms(rows([(1.0, 2.0)], [])) is None


def test_a_pause_between_words_is_no_new_onset() -> None:
    assert onsets_s(rows([(1.0, 1.4), (1.6, 2.0), (4.0, 4.5)], [])) == pytest.approx([1.0, 4.0])


@pytest.mark.parametrize(
    ("far", "silent_after_ms"),
    [
        ([(0.0, 1.12)], 110),
        # A breath just before the onset, and another one within the agent's last words.
        ([(0.0, 0.95), (1.05, 1.15)], 140),
        # What is said after a longer silence is the answer.
        ([(0.0, 1.12), (2.0, 4.0)], 110),
        ([(0.0, 1.0 + GIVES_WAY_S + 0.1)], None),
    ],
)
def test_an_interruption_lasts_until_the_far_side_was_last_loud(
    far: Spans, silent_after_ms: float | None
) -> None:
    (found,) = interruptions(rows([(1.0, 2.5)], far))
    assert found.onset_s == pytest.approx(1.0)
    expected = silent_after_ms if silent_after_ms is None else pytest.approx(silent_after_ms, abs=0.1)
    assert found.silent_after_ms == expected


def test_words_into_silence_or_at_the_end_of_the_recording_do_not_count() -> None:
    assert interruptions(rows([(2.0, 3.0)], [(0.0, 1.5)])) == []
    assert interruptions(rows([(5.0, 6.0)], [(0.0, 6.0)])) == []
    assert interruptions([]) == []


def test_what_the_buffer_holds_is_read_from_sums() -> None:
    sums = [(1.0, 10.0, 1000.0), (1.2, 10.5, 1010.0), (1.4, 11.1, 1020.0), (1.6, 12.0, 1020.0)]
    assert buffer_ms(sums, 1.3) == pytest.approx(50)
    assert buffer_ms(sums, 1.5) == pytest.approx(60)
    assert buffer_ms(sums, 1.1) is None
    assert buffer_ms(sums, 1.7) is None
