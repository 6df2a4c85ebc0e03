"""The page's own arithmetic of turns, on levels made by hand, in a real browser."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.integration.browser.phone import Phone, phone
from tests.integration.harness import GatewayProcess

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_RUN = """async (spans) => {
  const { TurnClock } = await import("/phone/turns.js");
  const clock = new TurnClock();
  const loud = (side, now) => spans[side].some(([from, to]) => now >= from && now < to) ? -20 : -90;
  const found = [];
  for (let now = 0; now < 6000; now += 10) {
    found.push(...clock.update(now, loud("own", now), loud("far", now)));
  }
  return found;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def page(browser: Browser, gateway: GatewayProcess) -> AsyncIterator[Phone]:
    """One page for all cases: nothing of theirs stays in it."""
    async with phone(browser, gateway) as it:
        yield it


@pytest.mark.parametrize(
    ("own", "far", "found"),
    [
        ([], [(0, 1000)], []),
        ([(0, 1000)], [(1500, 2000)], [{"kind": "answer", "ms": 510}]),
        # A breath is no end of a turn, neither one's own nor the agent's.
        ([(0, 400), (600, 1000)], [(1500, 1800), (2000, 2500)], [{"kind": "answer", "ms": 510}]),
        ([(0, 500)], [(1000, 1500), (3000, 3500)], [{"kind": "answer", "ms": 510}]),
        ([(500, 1500)], [(0, 620)], [{"kind": "interruption", "ms": 110}]),
        (
            [(500, 1500)],
            [(0, 620), (2000, 3000)],
            [{"kind": "interruption", "ms": 110}, {"kind": "answer", "ms": 510}],
        ),
        # Talking on for long is not giving way.
        ([(500, 700)], [(0, 4000)], []),
        ([(500, 600), (5000, 5100)], [(700, 800)], [{"kind": "answer", "ms": 110}]),
    ],
)
async def test_what_the_levels_of_both_sides_mean(
    page: Phone,
    own: list[tuple[int, int]],
    far: list[tuple[int, int]],
    found: list[dict[str, Any]],
) -> None:
    assert await page.page.evaluate(_RUN, {"own": own, "far": far}) == found
