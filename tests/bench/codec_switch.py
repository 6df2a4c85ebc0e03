"""How long a call is silent when its codec changes.

    python -m tests.bench.codec_switch [--calls 6] [--switches 4]

One card, PJSIP phones one after the other, tones both ways; PCMU to iLBC and back by re-INVITE. Where the
phone's clock stands against the card's is another in every call, and decides about 30 ms. Exit status 1 if
the median of either direction exceeds 60 ms. Needs a quiet machine: the phone is one process of normal
priority.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from itertools import cycle
from typing import Final

import numpy as np

from gateway.wire import card as wire
from tests.integration.card.cards import Rack, rack
from tests.integration.card.test_tiers import BOTH, call, changed, longest_gap_ms
from tests.sounds import tone

_MOST_MS: Final = 60
_LISTEN_MS: Final = 1500


async def _measure(calls: int, switches: int) -> list[tuple[str, int, int]]:
    """(tier, gap from the phone, gap to the phone) of each."""
    async with rack() as cards:
        return [each for _ in range(calls) for each in await _one_call(cards, switches)]


async def _one_call(cards: Rack, switches: int) -> list[tuple[str, int, int]]:
    found = []
    core, phone, leg = await call(cards, *BOTH)
    core.play(leg, tone(1300, 2000 + switches * 2 * _LISTEN_MS))
    await core.hear(leg, 1.0)
    for tier, _ in zip(cycle(("ILBC/30", "PCMU/20")), range(switches), strict=False):
        start = len(core.heard[leg])
        recording = asyncio.create_task(phone.record(_LISTEN_MS))
        await core.hear(leg, 0.3)
        await changed(core, leg, tier)
        far = await recording
        end = start + _LISTEN_MS * 16
        await core.until(lambda end=end: len(core.heard[leg]) >= end)  # type: ignore[misc]
        found.append((tier, longest_gap_ms(bytes(core.heard[leg][start:end])), longest_gap_ms(far)))
    assert not core.of(wire.Refused)
    await phone.hang_up()
    return found


def _line(name: str, gaps_ms: Sequence[int]) -> str:
    return f"{name:22s} p50 {np.median(gaps_ms):3.0f}  most {max(gaps_ms):3d} ms\n"


def main() -> int:
    """Print one line per direction and codec."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.codec_switch", description=__doc__)
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--switches", type=int, default=4, help="of each call")
    arguments = parser.parse_args()
    found = asyncio.run(_measure(arguments.calls, arguments.switches))
    for wanted in ("ILBC/30", "PCMU/20"):
        sys.stdout.write(
            _line(f"to {wanted}, from phone", [near for tier, near, _ in found if tier == wanted])
        )
        sys.stdout.write(_line(f"to {wanted}, to phone", [far for tier, _, far in found if tier == wanted]))
    medians = (np.median([near for _, near, _ in found]), np.median([far for _, _, far in found]))
    return 0 if max(medians) <= _MOST_MS else 1


if __name__ == "__main__":
    sys.exit(main())
