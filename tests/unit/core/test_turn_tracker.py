"""Turns and interruptions on frame sequences, in a time of their own."""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, TypeVar

import pytest

from gateway.core.interruption import DECIDE_S, OnInterruption, Rules
from gateway.core.speech_evidence import Opinion
from gateway.core.turn_events import (
    Backchannel,
    BargeIn,
    CallerSpeechStarted,
    CallerSpeechStopped,
    PauseBot,
    ResumeBot,
    TalkOver,
    TurnEvent,
)
from gateway.core.turn_tracker import TurnTracker

LOUD = 2000.0
QUIET = 10.0
VOICE = Opinion(0.95, tonal=False)
NOISE = Opinion(0.02, tonal=False)
TONE = Opinion(0.6, tonal=True)


class Line:
    """A line to a tracker; `#` is a loud frame of speech, `n` is steady noise, anything else is quiet."""

    def __init__(self, *, opinions: Iterator[Opinion] | None = None, **rules: Any) -> None:
        self.opinions = repeat(VOICE) if opinions is None else opinions
        self.asked = 0
        self.now = 100.0
        self.bot = False
        self.tracker = TurnTracker(Rules(**rules), self._opinion)
        self.events: list[TurnEvent] = []

    def _opinion(self) -> Opinion:
        self.asked += 1
        return next(self.opinions)

    def hear(self, pattern: str, *, concealed: bool = False) -> list[TurnEvent]:
        """Events of these frames."""
        found: list[TurnEvent] = []
        for mark in pattern:
            self.now += 0.02
            level = {"#": LOUD, "n": 300.0}.get(mark, QUIET)
            for event in self.tracker.push(
                mark in "#n", level, concealed=concealed, bot_audible=self.bot, now=self.now
            ):
                found.append(event)
                if isinstance(event, BargeIn):
                    self.bot = False
                    self.tracker.flushed()
        self.events += found
        return found

    def agent_speaks(self, silence: str = "." * 50) -> None:
        """The agent begins, and the caller listens for a while."""
        self.bot = True
        self.hear(silence)

    def told(self, events: tuple[TurnEvent, ...]) -> list[type[TurnEvent]]:
        """Kinds of what the tracker made of something else than a frame."""
        return [type(event) for event in events]


def kinds(events: list[TurnEvent]) -> list[type[TurnEvent]]:
    return [type(event) for event in events]


E = TypeVar("E", bound=TurnEvent)


def of(kind: type[E], events: list[TurnEvent]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def decisions(events: list[TurnEvent]) -> list[type[TurnEvent]]:
    """What concerns the agent."""
    return [kind for kind in kinds(events) if kind not in (CallerSpeechStarted, CallerSpeechStopped)]


@pytest.fixture
def line() -> Line:
    line = Line()
    line.agent_speaks()
    return line


# ---- turns ------------------------------------------------------------------------------------


def test_a_turn_begins_with_four_frames_and_ends_after_300_ms() -> None:
    line = Line()
    line.hear("." * 10)
    began = round(line.now, 3)
    assert line.hear("###") == []
    assert [round(event.onset_s, 3) for event in of(CallerSpeechStarted, line.hear("#" * 20))] == [began]
    ended = line.now
    assert line.hear("." * 14) == []
    assert [event.end_s for event in of(CallerSpeechStopped, line.hear(".."))] == [ended]


def test_in_silence_one_opinion_is_enough_and_more_are_not_asked() -> None:
    line = Line()
    line.hear("." * 10 + ("#" * 12 + "..") * 10)
    assert line.asked == 1


def test_what_the_model_does_not_take_for_speech_is_no_turn() -> None:
    line = Line(opinions=repeat(NOISE))
    assert line.hear("#" * 200) == []


def test_concealed_frames_are_no_speech() -> None:
    line = Line()
    assert line.hear("#" * 50, concealed=True) == []


def test_noise_that_the_first_stage_sticks_to_ends_the_turn_by_the_model() -> None:
    voice = iter([VOICE])
    line = Line(opinions=_then(voice, NOISE))
    line.hear("n" * 100)
    events = line.hear("#" * 30 + "n" * 30)
    assert kinds(events) == [CallerSpeechStarted, CallerSpeechStopped]


def _then(first: Iterator[Opinion], last: Opinion) -> Iterator[Opinion]:
    yield from first
    yield from repeat(last)


# ---- pauses -----------------------------------------------------------------------------------


def test_the_agent_pauses_at_the_second_frame_and_stops_for_words(line: Line) -> None:
    began = line.now
    assert decisions(line.hear("##")) == [PauseBot]
    events = line.hear("#" * 40)
    assert decisions(events) == [BargeIn]
    assert [event.onset_s for event in of(BargeIn, events)] == [pytest.approx(began)]


def test_a_backchannel_is_over_before_600_ms(line: Line) -> None:
    events = line.hear("##########.##########" + "." * 20)
    assert decisions(events) == [PauseBot, Backchannel, ResumeBot]
    (resumed,) = of(ResumeBot, events)
    assert resumed.cause == "backchannel"
    assert resumed.paused_ms == pytest.approx(DECIDE_S * 1000, abs=21), "words might go on after a breath"
    (said,) = of(Backchannel, events)
    assert said.duration_ms == pytest.approx(420)


def test_a_second_word_soon_after_the_first_takes_the_word(line: Line) -> None:
    assert decisions(line.hear("#" * 18 + "." * 15)) == [PauseBot, Backchannel, ResumeBot]
    assert decisions(line.hear("#" * 18)) == [PauseBot, BargeIn]


def test_backchannels_far_apart_stay_what_they_are(line: Line) -> None:
    for _ in range(3):
        assert decisions(line.hear("#" * 18 + "." * 120)) == [PauseBot, Backchannel, ResumeBot]


def test_a_sound_that_might_be_speech_pauses_and_is_found_out() -> None:
    line = Line(opinions=_then(iter([Opinion(0.3, tonal=False)] * 2), NOISE))
    line.agent_speaks()
    events = line.hear("#" * 30)
    assert decisions(events) == [PauseBot, ResumeBot]
    (resumed,) = of(ResumeBot, events)
    assert resumed.cause == "noise"
    assert resumed.paused_ms <= 260


def test_a_false_pause_makes_it_shy_for_a_while() -> None:
    doubt = [Opinion(0.3, tonal=False)] * 2
    line = Line(opinions=_then(iter(doubt), NOISE))
    line.agent_speaks()
    line.hear("#" * 30 + "." * 20)
    line.opinions = repeat(Opinion(0.3, tonal=False))
    assert decisions(line.hear("#" * 10 + "." * 20)) == []
    line.opinions = repeat(VOICE)
    assert decisions(line.hear("#" * 10)) == [PauseBot], "confirmed speech still does"


@pytest.mark.parametrize(
    "opinions",
    [
        pytest.param(lambda: repeat(NOISE), id="noise"),
        pytest.param(lambda: _then(iter([TONE]), Opinion(0.1, tonal=True)), id="tone"),
    ],
)
def test_noise_and_tones_do_not_pause(opinions: Callable[[], Iterator[Opinion]]) -> None:
    line = Line(opinions=opinions())
    line.agent_speaks()
    assert decisions(line.hear("#" * 60)) == []


@pytest.mark.parametrize("pattern", ["#....", "#...#...#..."])
def test_clicks_do_not_pause(line: Line, pattern: str) -> None:
    asked = line.asked
    assert decisions(line.hear(pattern * 5)) == []
    assert line.asked - asked <= 5


def test_an_echo_asks_for_no_opinion() -> None:
    line = Line()
    line.bot = True
    line.tracker.echo.agent_levels([30 * 300.0] * 100)
    assert line.hear("n" * 100) == []
    assert line.asked == 0


def test_the_opinions_of_a_line_that_is_never_clear_are_limited() -> None:
    line = Line(opinions=repeat(NOISE))
    line.agent_speaks()
    for _ in range(500):
        line.hear("#" * 4 + "." * 2)
    assert line.asked < 24 + 3000 * 0.04 + 5


def test_an_agent_that_ends_while_paused_is_resumed(line: Line) -> None:
    line.hear("##")
    line.bot = False
    assert decisions(line.hear("#")) == [ResumeBot]
    assert not line.tracker.paused


def test_after_a_flush_nothing_is_pending(line: Line) -> None:
    line.hear("##")
    assert line.tracker.paused
    line.tracker.flushed()
    line.bot = False
    assert decisions(line.hear("#" * 60 + "." * 30)) == []


# ---- the policy -------------------------------------------------------------------------------


def test_flush_waits_until_it_is_sure() -> None:
    line = Line(action=OnInterruption.FLUSH)
    line.agent_speaks()
    assert decisions(line.hear("#" * 5)) == []
    assert decisions(line.hear("##")) == [BargeIn]


def test_notify_only_tells_and_once() -> None:
    line = Line(action=OnInterruption.NOTIFY)
    line.agent_speaks()
    assert decisions(line.hear("#" * 80 + "." * 30 + "#" * 20)) == [TalkOver]


def test_the_beginning_of_an_answer_can_be_protected() -> None:
    line = Line(protect_first_s=2.0)
    line.agent_speaks()
    assert decisions(line.hear("#" * 40)) == []
    assert line.told(line.tracker.backend_speech_started(line.now)) == []
    assert decisions(line.hear("#" * 20)) == [PauseBot, BargeIn], "it has been words for long"


def test_the_gateway_may_have_no_say() -> None:
    line = Line(gateway_decides=False)
    line.agent_speaks()
    assert decisions(line.hear("#" * 20)) == []
    assert line.told(line.tracker.backend_speech_started(line.now)) == [PauseBot]
    assert decisions(line.hear("#" * 40)) == [BargeIn]


def test_the_backend_may_have_no_say() -> None:
    line = Line(backend_decides=False)
    line.agent_speaks()
    assert line.told(line.tracker.backend_speech_started(line.now)) == []
    assert decisions(line.hear("." * 60)) == []


def test_what_only_the_backend_hears_is_believed_after_600_ms(line: Line) -> None:
    assert line.told(line.tracker.backend_speech_started(line.now)) == [PauseBot]
    assert decisions(line.hear("." * 29)) == []
    assert decisions(line.hear("..")) == [BargeIn]


def test_what_only_the_backend_heard_and_takes_back_resumes(line: Line) -> None:
    line.tracker.backend_speech_started(line.now)
    line.hear("." * 10)
    assert line.told(line.tracker.backend_speech_stopped(line.now)) == [Backchannel, ResumeBot]


def test_the_backends_word_does_not_turn_a_backchannel_into_words(line: Line) -> None:
    line.hear("#" * 9)
    assert line.told(line.tracker.backend_speech_started(line.now)) == []
    assert decisions(line.hear("#" * 9 + "." * 25)) == [Backchannel, ResumeBot]


def test_a_breath_between_two_words_does_not_let_the_agent_go_on(line: Line) -> None:
    assert decisions(line.hear("#" * 14 + "." * 8 + "#" * 14)) == [PauseBot, BargeIn]


def test_words_that_were_understood_stop_the_agent(line: Line) -> None:
    line.hear("#" * 15 + "." * 10)
    assert line.told(line.tracker.words(line.now)) == [BargeIn]


def test_a_late_transcript_of_the_turn_before_stops_nothing(line: Line) -> None:
    assert line.told(line.tracker.words(line.now)) == []
    line.hear("#" * 15 + "." * 200)
    assert line.told(line.tracker.words(line.now)) == []


def test_without_an_agent_there_is_nothing_to_interrupt() -> None:
    line = Line()
    line.hear("." * 10)
    for told in (line.tracker.backend_speech_started, line.tracker.words, line.tracker.key_pressed):
        assert told(line.now) == ()
    assert decisions(line.hear("#" * 100)) == []


def test_a_key_interrupts_and_its_tone_is_no_speech(line: Line) -> None:
    assert line.told(line.tracker.key_pressed(line.now)) == [BargeIn]
    line.tracker.flushed()
    assert kinds(line.hear("#" * 12)) == []
