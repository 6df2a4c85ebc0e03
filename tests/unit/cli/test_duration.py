"""Lengths of time on the command line."""

from datetime import timedelta

import pytest
import typer

from gateway.cli.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        (" 2h ", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_lengths(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "1y", "-1h", "1.5h", "1h30m", "9999999d", "١h"])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 90s, 15m, 2h or 7d"):
        parse_duration(text)
