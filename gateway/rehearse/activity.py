"""When somebody is audible, from levels of 5 ms. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 8000
BLOCK_MS: Final = 5
_BLOCK: Final = RATE_HZ * BLOCK_MS // 1000
_LOWEST_DBFS: Final = -90.0
_QUIETEST_DBFS: Final = -48.0
"""Nothing below is ever taken for speech."""
_LOUDEST_DBFS: Final = -34.0
"""Everything above is, whatever the noise."""
_ABOVE_FLOOR_DB: Final = 12.0
_LEAST_BLOCKS: Final = 4
"""Audible blocks of a sound; fewer are a click."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch in which somebody is audible."""

    start_s: float
    end_s: float

    def covers(self, at_s: float) -> bool:
        """Whether it sounds at this moment."""
        return self.start_s <= at_s < self.end_s


@dataclass(frozen=True, slots=True)
class Levels:
    """RMS levels of blocks of `BLOCK_MS`."""

    start_s: float
    dbfs: NDArray[np.float32]

    @property
    def floor_dbfs(self) -> float:
        """What the line has when nobody speaks."""
        return float(np.percentile(self.dbfs, 10)) if len(self.dbfs) else _LOWEST_DBFS

    @property
    def threshold_dbfs(self) -> float:
        """From here on somebody speaks."""
        return min(_LOUDEST_DBFS, max(_QUIETEST_DBFS, self.floor_dbfs + _ABOVE_FLOOR_DB))

    def between(self, begin_s: float, end_s: float) -> NDArray[np.float32]:
        """The blocks from one moment to another."""
        low, high = (round((at - self.start_s) * 1000 / BLOCK_MS) for at in (begin_s, end_s))
        return self.dbfs[max(0, low) : max(0, high)]


def levels_of(samples: NDArray[np.float32], start_s: float) -> Levels:
    """samples: full scale 32768, `RATE_HZ`."""
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    power = np.square(blocks / 32768).mean(axis=1)
    return Levels(start_s, np.maximum(_LOWEST_DBFS, 10 * np.log10(power + 1e-12)).astype(np.float32))


def sounds_of(levels: Levels, gap_s: float) -> list[Sound]:
    """Stretches of sound; pauses shorter than `gap_s` belong to them."""
    audible = np.flatnonzero(levels.dbfs >= levels.threshold_dbfs)
    if not len(audible):
        return []
    block_s = BLOCK_MS / 1000
    breaks = np.flatnonzero(np.diff(audible) > gap_s / block_s)
    firsts = [0, *(int(at) + 1 for at in breaks)]
    lasts = [*(int(at) for at in breaks), len(audible) - 1]
    return [
        Sound(
            levels.start_s + float(audible[first]) * block_s,
            levels.start_s + (float(audible[last]) + 1) * block_s,
        )
        for first, last in zip(firsts, lasts, strict=True)
        if last - first + 1 >= _LEAST_BLOCKS
    ]
