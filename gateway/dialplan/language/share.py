"""Shares of callers that stay the same: who got the new plan yesterday gets it today."""

import hashlib
from collections.abc import Mapping
from typing import Final

_STEPS: Final = 1_000_000


def place_of(caller: str, purpose: str) -> float:
    """Where a caller stands from 0 up to 1, evenly spread, independent for each purpose."""
    digest = hashlib.blake2b(f"{purpose}\0{caller}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _STEPS / _STEPS


def within(caller: str, purpose: str, percent: float) -> bool:
    """Whether the caller belongs to the first `percent` of all callers."""
    return place_of(caller, purpose) * 100 < percent


def pick(caller: str, purpose: str, weights: Mapping[str, float]) -> str:
    """One of the names, by weight. `weights`: not empty, their sum above 0."""
    place = place_of(caller, purpose) * sum(weights.values())
    for name, weight in weights.items():
        place -= weight
        if place < 0:
            return name
    return next(reversed(list(weights)))
