"""`gateway impair`: the command line; traffic is in the integration tests."""

import pytest

from tests.unit.cli.commands import Gateway


@pytest.mark.parametrize(
    ("arguments", "option", "said"),
    [
        ([], "", "--to"),
        (["--to", "nowhere"], "--to", "HOST:PORT"),
        (["--to", "127.0.0.1:0"], "--to", "HOST:PORT"),
        (["--to", "127.0.0.1:9", "--listen", "5060"], "--listen", "HOST:PORT"),
        (["--to", "127.0.0.1:9", "--loss", "5"], "--loss", "write 5%"),
        (["--to", "127.0.0.1:9", "--jitter", "40"], "--jitter", "write 40ms"),
        (["--to", "127.0.0.1:9", "--loss", "90%", "--burst", "2"], "--burst", "longer bad spells"),
        (["--to", "127.0.0.1:9", "--down", "lost=5%"], "--down", "no impairment"),
        (["--to", "127.0.0.1:9", "--stall", "2s"], "--stall", "2s@10s"),
    ],
)
def test_wrong_usage_names_the_option_and_a_way_out(
    gateway: Gateway, arguments: list[str], option: str, said: str
) -> None:
    outcome = gateway("impair", *arguments)
    words = " ".join(outcome.err.replace("│", " ").split())
    assert (outcome.status, outcome.out) == (2, "")
    assert option in words
    assert said in words
