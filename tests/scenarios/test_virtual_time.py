"""The clock of the scenarios itself."""

import asyncio
import time

import pytest

from tests.scenarios.virtual_time import NothingWillHappenError, VirtualLoop


async def test_an_hour_passes_at_once_and_exactly() -> None:
    loop = asyncio.get_running_loop()
    began, wall_began = loop.time(), time.monotonic()
    await asyncio.sleep(3600)
    assert loop.time() - began == pytest.approx(3600, abs=1e-6)
    assert time.monotonic() - wall_began < 10


async def test_timers_fire_in_the_order_of_their_times() -> None:
    order: list[int] = []

    async def wait(seconds: int) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    await asyncio.gather(wait(3), wait(1), wait(2))
    assert order == [1, 2, 3]


async def test_a_timeout_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.Event().wait()


def test_waiting_for_what_cannot_happen_is_an_error() -> None:
    loop = VirtualLoop()
    waiting = asyncio.Event().wait()
    task = loop.create_task(waiting)
    with pytest.raises(NothingWillHappenError):
        loop.run_until_complete(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
