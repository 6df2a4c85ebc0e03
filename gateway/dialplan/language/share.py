"""Shares of callers that stay the same: who got the new plan yesterday gets it today. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Final

_STEPS: Final = 1_000_000
_NOBODY: Final = frozenset({"", "anonymous", "private", "restricted", "unavailable", "unknown", "local"})
"""What stands in the place of a number that is not shown (RFC 3323 §4.1 has `anonymous`), and for
programs on this machine."""
_MANY: Final = ("key ", "secret ")
"""Beginnings of what stands for all callers of a web site: its API key, or a secret made with that."""


def share_key(caller: str, call_id: str) -> str:
    """What a caller's place goes by: the number or name, or the call where it does not say who calls."""
    return call_id if caller.lower() in _NOBODY or caller.startswith(_MANY) else caller


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
