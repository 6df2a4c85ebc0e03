"""A rack of cards for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.card.cards import Rack, rack


@pytest.fixture
async def cards() -> AsyncIterator[Rack]:
    """A running template."""
    async with rack() as unit:
        yield unit
