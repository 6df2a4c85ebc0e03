"""What a page's ear has written down, and what it means. Pure.

A row is (seconds of the page's audio clock, milliseconds since the epoch, own level, far level); the levels
in dB of full scale, over 128 samples each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Row = tuple[float, float, float, float]

BufferRow = tuple[float, float, float]
"""Seconds of the audio clock, sum of the seconds that samples spent in the playout buffer, samples."""

LOUD_DB: Final = -45.0
PAUSE_S: Final = 0.3
"""So long a side is quiet between two things that it says; between words it is shorter."""
BREATH_S: Final = 0.1
"""Of an agent that was loud so shortly before, it is taken that it speaks."""
GIVES_WAY_S: Final = 1.5
"""Who talks on for longer has not given way."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """The own side began to speak while the far side did."""

    onset_s: float
    """On the page's audio clock."""
    silent_after_ms: float | None
    """From the onset to the far side's last loud moment; None: it did not give way."""


def first_heard_ms(rows: Sequence[Row]) -> float | None:
    """When the far side was first loud, in milliseconds since the epoch."""
    return next((at_ms for _, at_ms, _, far_db in rows if far_db > LOUD_DB), None)


def onsets_s(rows: Sequence[Row]) -> list[float]:
    """When the own side began to speak, each time."""
    found: list[float] = []
    last_loud_s = float("-inf")
    for at_s, _, own_db, _ in rows:
        if own_db > LOUD_DB:
            if at_s - last_loud_s >= PAUSE_S:
                found.append(at_s)
            last_loud_s = at_s
    return found


def interruptions(rows: Sequence[Row]) -> list[Interruption]:
    """Of every onset into the far side's words, what came of it."""
    loud_s = [at_s for at_s, _, _, far_db in rows if far_db > LOUD_DB]
    end_s = rows[-1][0] if rows else 0.0
    return [
        Interruption(onset_s, _silent_after_ms(loud_s, onset_s))
        for onset_s in onsets_s(rows)
        if end_s - onset_s > GIVES_WAY_S + PAUSE_S and any(-BREATH_S < at_s - onset_s <= 0 for at_s in loud_s)
    ]


def _silent_after_ms(loud_s: Sequence[float], onset_s: float) -> float | None:
    last_s = onset_s
    for at_s in loud_s:
        if at_s <= onset_s:
            continue
        if at_s - last_s >= PAUSE_S:
            break
        last_s = at_s
    after_s = last_s - onset_s
    return after_s * 1000 if after_s <= GIVES_WAY_S else None


def buffer_ms(rows: Sequence[BufferRow], at_s: float) -> float | None:
    """How long audio stayed in the browser's playout buffer just before a moment."""
    before = [row for row in rows if row[0] <= at_s][-2:]
    if len(before) < 2 or before[1][2] == before[0][2]:
        return None
    return 1000 * (before[1][1] - before[0][1]) / (before[1][2] - before[0][2])
