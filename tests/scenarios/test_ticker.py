"""The clock that all mixes share."""

import asyncio
import sys

from gateway.calls.ticker import Ticker


async def test_one_that_raises_is_called_no_more_and_the_others_go_on() -> None:
    ticker = Ticker()
    good: list[int] = []
    bad: list[int] = []

    def fail() -> None:
        bad.append(1)
        raise OSError("no space left")

    def count() -> None:
        good.append(1)

    faults: list[BaseException | None] = []
    ticker.subscribe(fail, lambda: faults.append(sys.exc_info()[1]))
    ticker.subscribe(count, good.clear)
    await asyncio.sleep(0.205)
    assert (len(bad), len(good)) == (1, 10)
    assert [type(fault) for fault in faults] == [OSError]
    ticker.unsubscribe(fail)
    ticker.unsubscribe(count)
    await asyncio.sleep(0.1)
    assert len(good) == 10
