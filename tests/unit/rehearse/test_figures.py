"""Figures of calls whose every moment is known."""

import numpy as np
import pytest

from gateway.rehearse.figures import CallFigures, figures_of
from tests.unit.rehearse.lines import ANSWERED_S, agent, packets, spoken, trace


def _near(ms: float) -> object:
    return pytest.approx(ms, abs=10)


def test_set_up_first_utterance_and_response_delay() -> None:
    heard = packets(agent((0.3, 2.0), (4.6, 7.0)))
    found = figures_of(trace(heard, spoken("speech", 2.5, 4.0)))
    assert found.setup_ms == pytest.approx(100)
    assert found.first_utterance_ms == _near(300)
    (turn,) = found.turns
    assert turn.delay_ms == _near(600)
    assert not turn.talked_over
    assert found.dead_air == ()
    assert found.clipped == ()


def test_an_answer_after_the_next_words_is_none() -> None:
    heard = packets(agent((0.3, 1.0), (5.0, 7.0)))
    first, second = spoken("speech", 1.5, 2.5), spoken("speech", 3.5, 4.5)
    delays = [turn.delay_ms for turn in figures_of(trace(heard, first, second)).turns]
    assert delays == [None, _near(500)]


def test_an_agent_that_begins_within_the_callers_words_talks_over() -> None:
    found = figures_of(trace(packets(agent((0.3, 1.0), (2.5, 4.0))), spoken("speech", 2.0, 3.5)))
    (turn,) = found.turns
    assert turn.talked_over
    assert turn.delay_ms is None


def _interrupted(until_s: float) -> CallFigures:
    heard = packets(agent((0.3, until_s), (until_s + 1.5, until_s + 2.5)))
    return figures_of(trace(heard, spoken("interruption", 2.0, 3.4, over=True)))


def test_an_interruption_is_timed_from_its_onset_to_silence() -> None:
    (into,) = _interrupted(2.13).into
    assert (into.outcome, into.stop_ms) == ("stopped", _near(130))


@pytest.mark.parametrize(("back_s", "outcome"), [(2.45, "resumed"), (2.9, "resumed"), (3.35, "stopped")])
def test_an_agent_that_goes_on_within_the_interruption_is_counted_apart(back_s: float, outcome: str) -> None:
    heard = packets(agent((0.3, 2.13), (back_s, back_s + 0.3), (5.0, 8.0)))
    found = figures_of(trace(heard, spoken("interruption", 2.0, 3.4, over=True)))
    (into,) = found.into
    assert (into.outcome, into.stop_ms) == (outcome, _near(130))
    assert not found.turns[0].talked_over


def test_an_agent_that_talks_on_was_not_interrupted() -> None:
    (into,) = _interrupted(5.0).into
    assert into.outcome == "missed"


def test_an_interruption_of_nobody_counts_for_nothing() -> None:
    (into,) = _interrupted(1.9).into
    assert (into.outcome, into.stop_ms) == ("undisturbed", None)


@pytest.mark.parametrize("kind", ["backchannel", "noise", "keys", "echo", "nothing"])
@pytest.mark.parametrize(
    ("spans", "outcome", "silence_ms"),
    [
        (((0.3, 8.0),), "undisturbed", None),
        (((0.3, 2.2), (2.35, 8.0)), "undisturbed", None),
        (((0.3, 2.2), (2.7, 8.0)), "paused", 500),
        (((0.3, 2.2), (3.0, 8.0)), "stopped", 800),
        (((0.3, 2.2), (2.7, 3.0), (5.0, 8.0)), "stopped", 2000),
        (((0.3, 2.2),), "stopped", None),
        (((0.3, 2.2), (2.42, 8.0)), "undisturbed", None),
        (((0.3, 4.0), (6.0, 8.0)), "undisturbed", None),
    ],
)
def test_sounds_without_words(
    kind: str, spans: tuple[tuple[float, float], ...], outcome: str, silence_ms: float | None
) -> None:
    said = spoken(kind, 2.0, 2.5, over=True)
    (into,) = figures_of(trace(packets(agent(*spans)), said)).into
    assert into.outcome == outcome
    assert into.silence_ms == (None if silence_ms is None else _near(silence_ms))
    assert figures_of(trace(packets(agent(*spans)), said)).turns == ()


def test_a_silence_that_the_end_of_the_call_cuts_short_tells_nothing() -> None:
    heard = packets(agent((0.3, 2.2), length_s=2.7))
    said = spoken("noise", 2.0, 2.5, over=True)
    (into,) = figures_of(trace(heard, said, length_s=2.7)).into
    assert into.outcome == "undisturbed"


def test_long_silences_count_unless_the_caller_wants_them() -> None:
    heard = packets(agent((0.3, 2.0), (9.5, 12.0)))
    (silence,) = figures_of(trace(heard, spoken("speech", 2.5, 4.0))).dead_air
    assert list(silence) == pytest.approx([ANSWERED_S + 4.0, ANSWERED_S + 9.5], rel=0, abs=0.01)
    wanted = trace(heard, spoken("speech", 2.5, 4.0), quiet=((4.2, 9.0),))
    assert figures_of(wanted).dead_air == ()


def test_silence_before_the_first_word_counts_and_after_the_agents_does_not() -> None:
    found = figures_of(trace(packets(agent((2.5, 4.0))), spoken("speech", 8.0, 9.0))).dead_air
    assert [begin - ANSWERED_S for begin, _ in found] == pytest.approx([0, 9], abs=0.01)


def test_a_word_that_ends_at_full_level_is_cut() -> None:
    line = agent((0.3, 4.0))
    line[8000 * 2 : 8000 * 3] = 0
    found = figures_of(trace(packets(line))).clipped
    assert list(found) == pytest.approx([ANSWERED_S + 2, ANSWERED_S + 3], rel=0, abs=0.01)


def test_a_silence_that_comes_from_lost_packets_is_no_cut() -> None:
    heard = [packet for n, packet in enumerate(packets(agent((0.3, 4.0)))) if not 100 <= n < 115]
    found = figures_of(trace(heard))
    assert found.clipped == ()
    assert found.heard.lost == 15
    assert found.mos is not None
    assert found.mos < 4.2


def test_stopping_for_an_interruption_cuts_no_word() -> None:
    line = agent((0.3, 4.0))
    line[round(8000 * 2.13) :] = 0
    said = spoken("interruption", 2.0, 3.4, over=True)
    assert figures_of(trace(packets(line), said)).clipped == ()
    assert figures_of(trace(packets(line))).clipped != ()


def test_a_call_without_sound_has_no_figures_but_set_up() -> None:
    found = figures_of(trace([]))
    assert found.setup_ms == pytest.approx(100)
    assert (found.first_utterance_ms, found.mos) == (None, None)
    assert found.agent == ()


def test_jitter_delays_what_is_heard_by_the_buffer() -> None:
    random = np.random.default_rng(3)
    line = agent((0.3, 2.0), (4.6, 7.0))
    late = random.uniform(0, 0.06, len(line) // 160)
    found = figures_of(trace(packets(line, late), spoken("speech", 2.5, 4.0)))
    assert found.heard.depth_ms == pytest.approx(60, abs=3)
    assert found.turns[0].delay_ms == pytest.approx(660, abs=13)
