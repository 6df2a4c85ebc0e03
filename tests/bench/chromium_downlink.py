"""What Chromium conceals of the agent's audio over networks of several kinds.

    python -m tests.bench.chromium_downlink

A conversation of three turns with the embedded bot for each network; the figures are the browser's own
(`getStats`). "buffer" is what its jitter buffer adds. Needs Chromium.
"""

import asyncio
import sys

from gateway.impair.impairment import Impairment
from tests.integration.browser.chromium import chromium
from tests.integration.browser.downlink import conversation, impaired_gateway

_NETWORKS = (
    Impairment(),
    Impairment(loss=0.05, delay_ms=20, jitter_ms=50, reorder=True),
    Impairment(loss=0.15, delay_ms=20, jitter_ms=50, reorder=True),
    Impairment(loss=0.05, delay_ms=20, jitter_ms=50),
    Impairment(loss=0.15, delay_ms=20, jitter_ms=50),
)


async def run() -> None:
    """Print one line per network."""
    async with chromium() as browser, impaired_gateway() as (gateway, network):
        for down in _NETWORKS:
            heard = await conversation(browser, gateway, network, down)
            sys.stdout.write(f"{down.describe():52s} {heard}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run())
