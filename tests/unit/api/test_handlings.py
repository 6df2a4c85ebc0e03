"""Requests that go on though their clients leave. No server: the handlers are called."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web

from gateway.api.handlings import Handlings
from gateway.api.problems import ProblemError

REQUEST = cast(web.Request, SimpleNamespace())


class Work:
    """A handler that takes as long as it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.end = ""

    async def __call__(self, _request: web.Request) -> web.StreamResponse:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.end = "cancelled"
            raise
        self.end = "done"
        return web.Response(status=204)


async def begun(handlings: Handlings, work: Work) -> "asyncio.Task[web.StreamResponse]":
    """A request that is being handled."""

    async def respond() -> web.StreamResponse:
        return await handlings.to_the_end(work)(REQUEST)

    task = asyncio.create_task(respond())
    await work.begun.wait()
    return task


async def test_a_client_that_leaves_stops_nothing() -> None:
    handlings, work = Handlings(), Work()
    task = await begun(handlings, work)
    task.cancel()
    work.go_on.set()
    assert (await task).status == 204
    assert work.end == "done"


async def test_a_stop_waits_for_what_ends_in_time() -> None:
    handlings, work = Handlings(), Work()
    task = await begun(handlings, work)
    closing = asyncio.create_task(handlings.close(grace_s=60))
    work.go_on.set()
    await closing
    assert work.end == "done"
    assert (await task).status == 204


@pytest.mark.parametrize("left", [False, True])
async def test_a_stop_ends_what_hangs(left: bool) -> None:
    handlings, work = Handlings(), Work()
    task = await begun(handlings, work)
    if left:
        task.cancel()
    await handlings.close(grace_s=0.01)
    assert work.end == "cancelled"
    with pytest.raises((ProblemError, asyncio.CancelledError)) as caught:
        await task
    if not left:
        assert cast(ProblemError, caught.value).status == 503


async def test_nothing_begins_after_a_stop() -> None:
    handlings, work = Handlings(), Work()
    await handlings.close()
    with pytest.raises(ProblemError):
        await handlings.to_the_end(work)(REQUEST)
    assert not work.begun.is_set()
