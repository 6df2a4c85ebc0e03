"""The policy of interruptions in a configuration."""

import pytest
from pydantic import ValidationError

from gateway.config.barge_in import BargeInConfig
from gateway.config.models import BotAgent


def test_the_default_pauses_at_whoever_hears_the_caller_first() -> None:
    policy = BotAgent(backend="bot").barge_in
    assert (policy.by, policy.action, policy.protect_first_ms) == ("both", "pause", 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "caller"},
        {"action": "stop"},
        {"min_words_ms": 99},
        {"min_words_ms": True},
        {"protect_first_ms": -1},
        {"min_word_ms": 500},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BargeInConfig.model_validate(wrong)
