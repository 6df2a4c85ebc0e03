from gateway.softphone.detector import SoundStarted, SoundStopped
from gateway.softphone.measure import CallLog, Turn, Utterance


def answered_log() -> CallLog:
    return CallLog(invited_s=10.0, answered_s=10.25)


def test_setup_and_first_utterance_are_counted_from_the_signalling() -> None:
    log = answered_log()
    log.heard(SoundStarted(10.4))
    figures = log.figures()
    assert figures.setup_ms == 250.0
    assert figures.first_utterance_ms == 150.0


def test_a_call_that_was_never_answered_has_no_figures() -> None:
    figures = CallLog(invited_s=1.0).figures()
    assert (figures.setup_ms, figures.first_utterance_ms, figures.turns) == (None, None, ())


def test_response_delay_counts_from_the_last_loud_frame_to_the_next_sound() -> None:
    log = answered_log()
    log.said(Utterance("question", 12.0, 13.5))
    log.heard(SoundStarted(14.0))
    assert log.figures().turns == (Turn("question", False, None, 500.0),)


def test_barge_in_stop_counts_from_the_onset_to_the_last_loud_frame() -> None:
    log = answered_log()
    log.heard(SoundStarted(10.5))
    log.heard(SoundStopped(12.2))
    log.said(Utterance("hold on", 12.0, 12.9))
    turn = log.figures().turns[0]
    assert turn.interrupted
    assert turn.barge_in_stop_ms == 200.0
    assert turn.response_delay_ms is None


def test_a_far_end_that_talks_on_has_no_stop() -> None:
    log = answered_log()
    log.heard(SoundStarted(10.5))
    log.said(Utterance("hold on", 12.0, 12.9))
    turn = log.figures().turns[0]
    assert turn.interrupted
    assert turn.barge_in_stop_ms is None


def test_an_answer_after_the_next_utterance_belongs_to_that_one() -> None:
    log = answered_log()
    log.said(Utterance("first", 12.0, 12.5))
    log.said(Utterance("second", 14.0, 14.5))
    log.heard(SoundStarted(15.0))
    figures = log.figures()
    assert [t.response_delay_ms for t in figures.turns] == [None, 500.0]
    assert figures.response_delay_ms == (500.0,)


def test_a_sound_that_ended_before_the_utterance_was_not_interrupted() -> None:
    log = answered_log()
    log.heard(SoundStarted(10.5))
    log.heard(SoundStopped(11.0))
    log.said(Utterance("question", 12.0, 12.5))
    assert not log.figures().turns[0].interrupted
    assert log.figures().barge_in_stop_ms == ()
