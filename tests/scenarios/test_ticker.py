"""The clock that all mixes share."""

import asyncio

from structlog.testing import capture_logs

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

    with capture_logs() as logged:
        ticker.subscribe(fail)
        ticker.subscribe(count)
        await asyncio.sleep(0.205)
    assert (len(bad), len(good)) == (1, 10)
    assert [entry["event"] for entry in logged] == ["a mix has failed"]
    ticker.unsubscribe(fail)
    ticker.unsubscribe(count)
    await asyncio.sleep(0.1)
    assert len(good) == 10
