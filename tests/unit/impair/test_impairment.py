"""Which settings describe a network, and how they are told."""

from typing import Any

import pytest

from gateway.impair.impairment import Impairment, ImpairmentError, Stall


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": 1.1},
        {"loss": -0.1},
        {"loss": float("nan")},
        {"delay_ms": float("inf")},
        {"jitter_ms": -1.0},
        {"rate_bps": 0.0},
        {"queue_ms": -5.0},
        {"duplicate": 2.0},
        {"loss_in_burst": 0.0},
        {"loss": 0.2, "burst_packets": 0.5},
        {"loss": 0.9, "burst_packets": 3.0},
        {"loss": 0.5, "burst_packets": 3.0, "loss_in_burst": 0.4},
        {"stall": Stall(0.0, 10.0)},
        {"stall": Stall(10.0, 10.0)},
    ],
)
def test_settings_that_describe_no_network_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ImpairmentError):
        Impairment(**settings)


def test_the_extremes_that_make_sense_are_taken() -> None:
    assert Impairment(loss=1.0).describe() == "loss 100 %"
    assert Impairment(loss=0.75, burst_packets=3.0).bad_share == 0.75


def test_it_is_told_in_words() -> None:
    assert Impairment().describe() == "unimpaired"
    told = Impairment(
        loss=0.05,
        burst_packets=3,
        delay_ms=80,
        jitter_ms=40,
        reorder=True,
        rate_bps=64_000,
        duplicate=0.01,
        stall=Stall(2, 10),
    ).describe()
    assert told == (
        "loss 5 % in spells of 3, delay 80 ms, jitter 40 ms, reordering, rate 64 kbit/s, queue 200 ms, "
        "duplicates 1 %, freezes 2 s every 10 s"
    )
