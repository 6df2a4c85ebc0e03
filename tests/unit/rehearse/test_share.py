"""The gateway's share of a response delay, from what passed the tap."""

import numpy as np
import pytest

from gateway.media.g711 import ulaw_encode
from gateway.rehearse.share import TapNotes, first_loud_ms, gateway_share_ms, match_sessions

NOTES = TapNotes(
    99.0, heard_s=(100.0, 100.02, 101.015, 104.0), answers=((99.5, 20.0), (101.4, 20.0), (105.0, 0.0))
)


def test_both_ways_count_and_the_agents_time_does_not() -> None:
    # Words: 15 ms to the tap. Answer: 101.4 s at the tap, audible after 20 ms, heard 30 ms later than that.
    assert gateway_share_ms(NOTES, 101.0, 101.45) == pytest.approx(15 + 30)


@pytest.mark.parametrize(("last_words_s", "answer_s"), [(102.0, 103.0), (101.0, 101.3), (90.0, 91.0)])
def test_a_turn_that_the_tap_did_not_see_has_none(last_words_s: float, answer_s: float) -> None:
    assert gateway_share_ms(NOTES, last_words_s, answer_s) is None


def test_where_an_answer_becomes_audible() -> None:
    sound = np.zeros(800, np.int16)
    assert first_loud_ms(ulaw_encode(sound.tobytes())) is None
    sound[240:] = 3000
    assert first_loud_ms(ulaw_encode(sound.tobytes())) == 30
    assert first_loud_ms(b"") is None


def test_sessions_belong_to_calls_in_their_order() -> None:
    early, late = TapNotes(10.0, (), ()), TapNotes(11.0, (), ())
    assert match_sessions([10.9, 9.9], [early, late]) == [late, early]
    assert match_sessions([9.9, 10.9], [early]) == [None, None]
    assert match_sessions([], []) == []
