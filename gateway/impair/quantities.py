"""Impairments as text: `5%`, `40ms`, `64kbit`, `2s@10s`, and whole ones as `loss=5%,jitter=40ms`.

Everything here raises `ImpairmentError` and nothing else.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from gateway.impair.impairment import Impairment, ImpairmentError, Stall

_NUMBER: Final = r"(\d{1,9}(?:\.\d{1,6})?)"
_SHARE = re.compile(_NUMBER + r"\s*(%?)")
_TIME = re.compile(_NUMBER + r"\s*(us|ms|s|m)")
_RATE = re.compile(_NUMBER + r"\s*(|k|m|g)bit(?:/s|ps)?", re.IGNORECASE)
_PLAIN = re.compile(_NUMBER)

_TIME_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_RATE_BPS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_SWITCH: Final = {"": True, "yes": True, "on": True, "no": False, "off": False}


def parse_share(text: str) -> float:
    """`5%` or `0.05`."""
    match = _SHARE.fullmatch(text.strip())
    if match is None:
        raise ImpairmentError(f"{text!r} is no share; write 5% or 0.05")
    share = float(match[1]) / (100 if match[2] else 1)
    if share > 1:
        raise ImpairmentError(f"{text!r} is more than all; write {match[1]}% for percent")
    return share


def parse_ms(text: str) -> float:
    """`40ms`, `0.2s`, in milliseconds."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ImpairmentError(f"{text!r} is no time; write 40ms, 0.5s or 2m")
    return float(match[1]) * _TIME_MS[match[2]]


def parse_bps(text: str) -> float:
    """`64kbit`, `1.5Mbit`, in bits a second."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ImpairmentError(f"{text!r} is no rate; write 64kbit or 1.5Mbit")
    return float(match[1]) * _RATE_BPS[match[2].lower()]


def parse_stall(text: str) -> Stall:
    """`2s@10s`: two seconds of every ten."""
    length, at, every = text.partition("@")
    if not at:
        raise ImpairmentError(f"{text!r} is no stall; write 2s@10s for 2 s of every 10 s")
    return Stall(parse_ms(length) / 1000, parse_ms(every) / 1000)


def parse_count(text: str) -> float:
    """A bare number."""
    if _PLAIN.fullmatch(text.strip()) is None:
        raise ImpairmentError(f"{text!r} is no number")
    return float(text)


def _parse_switch(text: str) -> bool:
    if text.strip().lower() not in _SWITCH:
        raise ImpairmentError(f"{text!r} is neither yes nor no")
    return _SWITCH[text.strip().lower()]


_KEYS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "loss": ("loss", parse_share),
    "burst": ("burst_packets", parse_count),
    "loss-in-burst": ("loss_in_burst", parse_share),
    "delay": ("delay_ms", parse_ms),
    "jitter": ("jitter_ms", parse_ms),
    "reorder": ("reorder", _parse_switch),
    "rate": ("rate_bps", parse_bps),
    "queue": ("queue_ms", parse_ms),
    "duplicate": ("duplicate", parse_share),
    "stall": ("stall", parse_stall),
}


def parse_impairment(text: str, base: Impairment | None = None) -> Impairment:
    """`loss=5%,burst=3,jitter=40ms,reorder`: changes to `base` (default: a perfect network)."""
    changes: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if key not in _KEYS:
            raise ImpairmentError(f"{key!r} is no impairment; there are {', '.join(_KEYS)}")
        name, parse = _KEYS[key]
        if name in changes:
            raise ImpairmentError(f"{key} is given twice")
        if not equals and name != "reorder":
            raise ImpairmentError(f"{key} needs a value, as in {key}=…")
        changes[name] = parse(value)
    return replace(base or Impairment(), **changes)
