"""Sounds that the gateway knows to be none of speech, against the word of a backend; and faint beginnings."""

from itertools import repeat

import pytest

from gateway.core.interruption import OnInterruption
from gateway.core.speech_evidence import Opinion
from gateway.core.turn_events import Backchannel, BargeIn, PauseBot, ResumeBot
from tests.unit.core.test_turn_tracker import NOISE, VOICE, Line, decisions, of

KEY = Opinion(0.3, tonal=True)


def heard_by(opinion: Opinion, **rules: object) -> Line:
    line = Line(opinions=repeat(opinion), **rules)
    line.agent_speaks()
    return line


@pytest.mark.parametrize("opinion", [pytest.param(KEY, id="a key"), pytest.param(NOISE, id="a noise")])
@pytest.mark.parametrize("action", [OnInterruption.PAUSE, OnInterruption.FLUSH])
def test_the_backends_word_does_not_make_it_speech(opinion: Opinion, action: OnInterruption) -> None:
    line = heard_by(opinion, action=action)
    line.hear("#" * 8)
    assert line.told(line.tracker.backend_speech_started(line.now)) == []
    assert decisions(line.hear("#" * 100)) == []


def test_it_does_where_the_backend_alone_decides() -> None:
    line = heard_by(KEY, gateway_decides=False)
    line.hear("#" * 8)
    assert line.told(line.tracker.backend_speech_started(line.now)) == [PauseBot]
    assert decisions(line.hear("#" * 30)) == [BargeIn]


def test_a_pause_for_a_key_that_the_backend_took_for_speech_is_taken_back() -> None:
    line = heard_by(KEY)
    line.hear("#")
    assert line.told(line.tracker.backend_speech_started(line.now)) == [PauseBot], "nothing is known yet"
    events = line.hear("#" * 60)
    assert decisions(events) == [ResumeBot]
    assert of(ResumeBot, events)[0].paused_ms <= 280


def test_a_backend_that_speaks_of_it_later_is_not_believed_either() -> None:
    line = heard_by(NOISE)
    line.hear("#" * 8 + "." * 15)
    assert line.told(line.tracker.backend_speech_started(line.now)) == []
    assert decisions(line.hear("." * 40)) == []


def test_the_agents_echo_is_not_what_the_backend_heard() -> None:
    line = Line()
    line.bot = True
    line.tracker.echo.agent_levels([30 * 300.0] * 200)
    line.hear("." * 20 + "n" * 10)
    assert line.told(line.tracker.backend_speech_started(line.now)) == []
    assert decisions(line.hear("n" * 40)) == []


def test_words_after_a_noise_are_believed() -> None:
    line = heard_by(NOISE)
    line.hear("#" * 8)
    assert line.told(line.tracker.backend_speech_started(line.now)) == []
    line.opinions = repeat(VOICE)
    assert decisions(line.hear("#" * 50)) == [PauseBot, BargeIn]


def test_a_vowel_after_a_fricative_is_asked_about_at_once() -> None:
    line = Line(opinions=repeat(Opinion(0.12, tonal=False)))
    line.agent_speaks()
    line.hear("n" * 11)
    line.opinions = repeat(VOICE)
    assert decisions(line.hear("##")) == [PauseBot]


def test_a_faint_first_sound_does_not_let_the_agent_go_on_before_the_word() -> None:
    opinions = [Opinion(0.6, tonal=False), *[NOISE] * 2]
    line = Line(opinions=iter([*opinions, *[VOICE] * 60]))
    line.agent_speaks()
    assert decisions(line.hear("###" + "." * 8)) == [PauseBot]
    assert decisions(line.hear("#" * 40)) == [BargeIn], "the word began 220 ms later"


def test_an_echo_that_begins_in_the_middle_stops_the_agent_once_and_not_for_good() -> None:
    line = Line()
    line.bot = True
    line.tracker.echo.agent_levels([9000.0] * 400)
    line.hear("." * 120)
    echoed = line.hear("n" * 4 + "." * 40)
    assert decisions(echoed) == [PauseBot, Backchannel, ResumeBot]
    assert decisions(line.hear("n" * 100)) == [], "now it is known how loud it is"


def test_what_ends_when_the_agent_pauses_was_its_echo_however_long_it_was_heard_before() -> None:
    line = heard_by(NOISE)
    line.hear("#" * 40)
    line.opinions = repeat(VOICE)
    events = line.hear("#" * 14 + "." * 40)
    assert decisions(events) == [PauseBot, Backchannel, ResumeBot]


def test_what_goes_on_was_none() -> None:
    line = heard_by(NOISE)
    line.hear("#" * 40)
    line.opinions = repeat(VOICE)
    assert decisions(line.hear("#" * 30)) == [PauseBot, BargeIn]
