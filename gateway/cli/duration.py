"""Lengths of time on the command line: `90s`, `15m`, `2h`, `7d`."""

import re
from datetime import timedelta

import typer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


def parse_duration(text: str) -> timedelta:
    """For typer options. Raises `typer.BadParameter`."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no length of time; write 90s, 15m, 2h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
