"""Figures of conversations, from timelines."""

from gateway.core.record import FieldValue, TimelineEvent
from gateway.core.record import TimelineKind as K
from gateway.core.talk_figures import TalkFigures, talk_figures


def at(at_ms: float, kind: K, **fields: FieldValue) -> TimelineEvent:
    return TimelineEvent(at_ms, kind, fields)


def figures(*timeline: TimelineEvent) -> TalkFigures:
    return talk_figures((*timeline, at(60_000, K.ENDED)))


CALLER = {"role": "caller", "text": "x"}
SAID_LATE = at(50_000, K.SAID, **CALLER)


def test_delays_come_in_parts() -> None:
    parts = {"detection_ms": 500.0, "backend_ms": 300.0, "gateway_ms": 1.0, "playout_ms": 20.0}
    found = figures(
        at(100, K.AGENT_AUDIO),
        at(2000, K.AGENT_AUDIO, response_delay_ms=821.0, **parts),
        at(9000, K.AGENT_AUDIO, response_delay_ms=400.0),
    )
    assert found.response_delays_ms == (821.0, 400.0)
    assert found.parts_ms["gateway"] == (1.0,)
    assert found.part_p50_ms("detection") == 500.0
    assert figures().part_p50_ms("detection") is None


def test_a_stop_without_words_is_false() -> None:
    stop = at(5000, K.BARGE_IN, stop_ms=100.0)
    assert figures(stop, SAID_LATE).stopped_without_words == 1
    assert figures(stop, at(7000, K.SAID, **CALLER)).stopped_without_words == 0
    assert figures(stop, at(7000, K.SAID, role="agent", text="x"), SAID_LATE).stopped_without_words == 1
    assert figures(stop).stopped_without_words == 0, "nothing is written down at all"


def test_words_belong_to_the_stop_before_them() -> None:
    stops = at(5000, K.BARGE_IN, stop_ms=100.0), at(8000, K.BARGE_IN, stop_ms=100.0)
    assert figures(*stops, at(9000, K.SAID, **CALLER)).stopped_without_words == 1


def test_a_stop_for_something_else_or_before_the_end_is_not_false() -> None:
    for cause in ("key", "page", "answer"):
        stop = at(5000, K.BARGE_IN, stop_ms=20.0, cause=cause)
        assert figures(stop, SAID_LATE).stopped_without_words == 0
    assert figures(SAID_LATE, at(59_000, K.BARGE_IN, stop_ms=20.0)).stopped_without_words == 0


def test_both_kinds_of_false_interruptions_count() -> None:
    found = figures(at(1000, K.AGENT_RESUMED, cause="noise"), at(5000, K.BARGE_IN, stop_ms=90.0), SAID_LATE)
    assert (found.resumed, found.stopped_without_words, found.false_interruptions) == (1, 1, 2)
    assert found.stops_ms == (90.0,)


def test_an_agent_that_begins_within_words_interrupts() -> None:
    over = {"over_caller": True}
    assert figures(at(1000, K.AGENT_AUDIO, **over)).agent_interruptions == 1
    assert figures(at(1000, K.AGENT_AUDIO)).agent_interruptions == 0
    going_on = at(1000, K.AGENT_AUDIO), at(2000, K.AGENT_SILENT), at(2100, K.AGENT_AUDIO, **over)
    assert figures(*going_on).agent_interruptions == 0, "it was speaking already"
    after_a_pause = at(1000, K.AGENT_AUDIO), at(2000, K.AGENT_SILENT), at(2400, K.AGENT_AUDIO, **over)
    assert figures(*after_a_pause).agent_interruptions == 1


def test_silences_are_kept_with_who_spoke_last() -> None:
    found = figures(
        at(1000, K.SILENCE, duration_ms=2500, after="caller"),
        at(9000, K.SILENCE, duration_ms=4000, after=None),
    )
    assert found.silences_ms == (("caller", 2500.0), ("", 4000.0))
