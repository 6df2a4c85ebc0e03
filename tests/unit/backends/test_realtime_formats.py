"""When a Realtime session changes its audio format, and what is in which format meanwhile."""

import json

import pytest

from gateway.backends import realtime_events as rt
from gateway.backends.realtime_formats import RealtimeFormats
from gateway.core.audio import WireFormat

WIDE, NARROW = WireFormat.PCM24K, WireFormat.PCMU


@pytest.fixture
def formats() -> RealtimeFormats:
    return RealtimeFormats(WIDE, NARROW)


def test_a_change_between_two_answers(formats: RealtimeFormats) -> None:
    assert formats.heard is formats.spoken("r1") is WIDE
    assert formats.want(narrow=True)
    assert formats.ask(answering=False) is NARROW
    assert formats.heard is NARROW, "the service reads in order"
    assert formats.spoken("r1") is WIDE
    formats.updated(NARROW, None)
    assert formats.spoken("r2") is formats.heard is NARROW
    assert formats.ask(answering=False) is None


def test_an_answer_is_waited_for(formats: RealtimeFormats) -> None:
    formats.want(narrow=True)
    assert formats.ask(answering=True) is None
    assert formats.heard is WIDE
    assert formats.ask(answering=False) is NARROW


def test_an_answer_that_began_before_the_change_keeps_its_format(formats: RealtimeFormats) -> None:
    formats.want(narrow=True)
    formats.ask(answering=False)
    formats.updated(NARROW, "r1")
    assert formats.spoken("r1") is WIDE
    assert formats.spoken("r2") is NARROW


def test_other_updates_of_the_session_change_nothing(formats: RealtimeFormats) -> None:
    formats.updated(NARROW, None)
    assert formats.spoken("r1") is WIDE
    formats.want(narrow=True)
    formats.asked_otherwise()
    formats.ask(answering=False)
    formats.updated(WIDE, None)
    assert formats.spoken("r1") is WIDE
    assert formats.heard is NARROW
    formats.updated(None, None)
    assert formats.spoken("r1") is NARROW, "a service that does not write its format has taken ours"


def test_a_service_that_refuses_is_not_asked_again(formats: RealtimeFormats) -> None:
    formats.want(narrow=True)
    formats.ask(answering=False)
    formats.refused()
    assert formats.heard is formats.spoken("r1") is WIDE
    assert not formats.want(narrow=True)
    assert formats.ask(answering=False) is None


def test_a_service_that_goes_on_in_its_old_format_has_refused(formats: RealtimeFormats) -> None:
    formats.want(narrow=True)
    formats.ask(answering=False)
    formats.updated(WIDE, "r1")
    assert formats.heard is formats.spoken("r1") is formats.spoken("r2") is WIDE
    assert not formats.want(narrow=True)


def test_what_was_asked_after_the_format_is_answered_after_it(formats: RealtimeFormats) -> None:
    formats.want(narrow=True)
    formats.ask(answering=False)
    formats.asked_otherwise()
    formats.updated(NARROW, None)
    formats.want(narrow=False)
    formats.ask(answering=False)
    formats.updated(NARROW, None)
    assert formats.heard is WIDE, "that was the other"
    formats.updated(NARROW, None)
    assert formats.heard is NARROW, "and that the refusal"


def test_back_again_while_the_question_is_open(formats: RealtimeFormats) -> None:
    formats.want(narrow=True)
    formats.ask(answering=False)
    formats.want(narrow=False)
    assert formats.ask(answering=False) is None
    formats.updated(NARROW, None)
    assert formats.ask(answering=False) is WIDE


def test_one_format_is_never_changed() -> None:
    formats = RealtimeFormats(NARROW, NARROW)
    assert not formats.want(narrow=True)
    assert formats.ask(answering=False) is None


def test_a_session_may_begin_narrow() -> None:
    formats = RealtimeFormats(WIDE, NARROW, begin_narrow=True)
    assert formats.heard is formats.spoken("r1") is NARROW
    assert formats.want(narrow=False)
    assert formats.ask(answering=False) is WIDE


@pytest.mark.parametrize(
    ("session", "spoken"),
    [
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, WireFormat.PCMU),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}}, WireFormat.PCM24K),
        ({"audio": {"output": {"format": {"type": "audio/opus"}}}}, None),
        ({"audio": {"output": {"format": "pcm16"}}}, None),
        ({"audio": None}, None),
        ("sess_1", None),
        ({}, None),
    ],
)
def test_what_a_service_writes_of_its_session(session: object, spoken: WireFormat | None) -> None:
    event = rt.decode(json.dumps({"type": "session.updated", "session": session}))
    assert rt.spoken_format(event) is spoken
    assert rt.spoken_format(rt.decode('{"type": "session.updated"}')) is None
