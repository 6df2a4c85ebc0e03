"""A receiver for the tests of this directory."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.integration.webhooks.receivers import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Answers on a port of its own."""
    it = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    it.port = runner.addresses[0][1]
    yield it
    it.open.set()
    await runner.cleanup()
