"""An agent that was stopped for words which its service never heard; `#` is a frame of the caller."""

from gateway.calls.own_stop import WAIT_S, OwnStop


def asked(own: OwnStop, pattern: str, now: float = 100.0) -> list[float]:
    """After how many seconds the service is asked to go on."""
    found = []
    for number, mark in enumerate(pattern, 1):
        if own.frame(mark == "#", now + number * 0.02):
            found.append(round(number * 0.02, 2))
    return found


def test_it_is_asked_once_after_the_callers_last_word() -> None:
    own = OwnStop()
    own.stopped(100.0)
    assert asked(own, "#" * 20 + "." * 400) == [0.4 + WAIT_S]


def test_a_service_that_hears_the_caller_answers_by_itself() -> None:
    own = OwnStop()
    own.stopped(100.0)
    own.service_hears(True)
    assert asked(own, "." * 400) == []
    own.service_hears(False)
    assert asked(own, "." * 400) == []


def test_one_that_hears_the_caller_already_is_not_asked() -> None:
    own = OwnStop()
    own.service_hears(True)
    own.stopped(100.0)
    assert asked(own, "." * 400) == []


def test_nor_one_that_speaks() -> None:
    own = OwnStop()
    own.stopped(100.0)
    own.service_speaks()
    assert asked(own, "." * 400) == []


def test_nobody_is_asked_without_a_stop() -> None:
    assert asked(OwnStop(), "#..." * 200) == []
