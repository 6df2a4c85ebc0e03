"""What becomes of answers to sounds that took the word from nobody."""

import pytest

from gateway.calls.asides import Asides
from gateway.config.barge_in import BargeInConfig

LONG, SHORT = 10.0, 1.5


def asides(**policy: str) -> Asides:
    return Asides(BargeInConfig.model_validate(policy))


def test_an_answer_to_a_noise_is_left_out_or_waits() -> None:
    found = asides()
    found.turn_began(over_agent=True, noise=True)
    assert found.fate("one", SHORT) == "wait"
    assert not found.is_dropped("one")
    assert found.fate("two", LONG) == "drop"
    assert found.is_dropped("two")


def test_a_noise_that_turns_out_to_be_speech_is_answered() -> None:
    found = asides()
    found.turn_began(over_agent=True, noise=True)
    found.caller_speaks()
    assert found.fate("one", LONG) == "cut"


def test_where_words_are_written_down_what_did_not_stop_the_agent_was_none() -> None:
    found = asides()
    found.turn_began(over_agent=True, noise=False)
    assert found.fate("one", LONG) == "cut", "the service may write nothing down"
    found.written()
    assert found.fate("two", LONG) == "drop"


def test_a_turn_that_began_in_silence_is_answered() -> None:
    found = asides()
    found.written()
    found.turn_began(over_agent=False, noise=False)
    assert found.fate("one", LONG) == "cut"


@pytest.mark.parametrize("policy", [{"by": "backend"}, {"action": "flush"}, {"action": "notify"}])
def test_where_the_gateway_takes_nothing_back_answers_are_heard(policy: dict[str, str]) -> None:
    found = asides(**policy)
    found.written()
    found.turn_began(over_agent=True, noise=True)
    assert found.fate("one", LONG) == "cut"
