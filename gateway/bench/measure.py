"""Figures from samples: distributions, and limits that a run has to keep. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec


class Distribution(msgspec.Struct, frozen=True):
    """Percentiles of a set of durations, in milliseconds; None where there was no sample."""

    samples: int
    min_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Nearest-rank percentile of ascending values: the smallest that `percent` of them don't exceed."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def distribution(values_s: Iterable[float | None]) -> Distribution:
    """Summary of durations given in seconds; None (did not happen) is left out."""
    ordered = sorted(value for value in values_s if value is not None)

    def at(percent: float) -> float | None:
        value_s = percentile(ordered, percent)
        return None if value_s is None else round(value_s * 1000, 2)

    return Distribution(len(ordered), at(0), at(50), at(95), at(99), at(100))


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that must hold for the run to pass."""

    name: str
    """What was measured, with its unit."""
    most: float
    value: float | None
    """What came out; None (nothing could be measured) misses the limit."""

    @property
    def kept(self) -> bool:
        """Whether the run passes here."""
        return self.value is not None and self.value <= self.most

    def describe(self) -> str:
        """One line for people."""
        value = "not measured" if self.value is None else f"{self.value:g}"
        return f"{self.name}: {value}, at most {self.most:g}"


def limits(asked: Iterable[tuple[str, float | None, float | None]]) -> tuple[Limit, ...]:
    """The limits the user set, out of (name, most or None, value)."""
    return tuple(Limit(name, most, value) for name, most, value in asked if most is not None)
