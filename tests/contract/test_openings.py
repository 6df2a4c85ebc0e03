"""What every kind of backend makes of a service that does not want it, or is not there."""

import asyncio
import socket

import aiohttp
import pytest

from gateway.backends.contract import Backend, BackendError
from tests.contract.listener import Listener
from tests.contract.realtime_service import RealtimeService
from tests.contract.transcript import backend_for, kinds


async def failure(backend: Backend) -> BackendError:
    """How opening it fails; nothing is told beside that."""
    listener = Listener()
    with pytest.raises(BackendError) as caught:
        await backend.open(listener)
    await backend.close()
    assert listener.events == []
    return caught.value


@pytest.mark.parametrize("kind", kinds())
async def test_a_refusal_is_not_tried_again_and_names_the_url_without_its_query(kind: str) -> None:
    async with RealtimeService(statuses=(401,) * 20) as service, aiohttp.ClientSession() as http:
        error = await failure(backend_for(kind, service.url + "?token=secret", http))
        assert service.handshakes == 1
        assert service.url in str(error)
    assert (error.kind, error.retryable) == ("refused", False)
    assert "401" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("kind", kinds())
async def test_a_busy_service_is_tried_again(kind: str) -> None:
    async with RealtimeService(statuses=(503, 429, 401)) as service, aiohttp.ClientSession() as http:
        error = await failure(backend_for(kind, service.url, http))
        assert service.handshakes == 3
    assert error.kind == "refused"


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{unused.getsockname()[1]}/voice"
        async with aiohttp.ClientSession() as http:
            # Each tries for as long as its budget lasts.
            errors = await asyncio.gather(*(failure(backend_for(kind, url, http)) for kind in kinds()))
    assert [(error.kind, error.retryable) for error in errors] == [("unreachable", True)] * len(kinds())
