"""A running API for every test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.api.rig import Rig, running


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running() as it:
        yield it
