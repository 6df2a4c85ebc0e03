"""Percentiles and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bench.measure import Limit, distribution, limits, percentile


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1.0), (1, 1.0), (50, 50.0), (95, 95.0), (99, 99.0), (100, 100.0)]
)
def test_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], percent) == expected


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 50) is None
    empty = distribution([None])
    assert (empty.samples, empty.p50_ms, empty.max_ms) == (0, None, None)


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1))
def test_percentiles_are_samples_in_order(values: list[float]) -> None:
    found = distribution(values)
    rounded = {round(value * 1000, 2) for value in values}
    steps = [found.min_ms, found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms]
    assert all(step in rounded for step in steps)
    assert steps == sorted(step for step in steps if step is not None)
    assert (found.min_ms, found.max_ms) == (min(rounded), max(rounded))


def test_distribution_leaves_out_what_did_not_happen() -> None:
    found = distribution([0.002, None, 0.001])
    assert (found.samples, found.min_ms, found.max_ms) == (2, 1.0, 2.0)


def test_only_limits_that_were_set_are_judged() -> None:
    asked = limits((("a, ms", 5, 4.0), ("b, ms", None, 9.0), ("c, ms", 5, 5.1), ("d, ms", 5, None)))
    assert [(limit.name, limit.kept) for limit in asked] == [
        ("a, ms", True),
        ("c, ms", False),
        ("d, ms", False),
    ]


def test_a_limit_says_what_was_measured() -> None:
    assert Limit("CPU, percent", 0.8, 0.75).describe() == "CPU, percent: 0.75, at most 0.8"
    assert Limit("CPU, percent", 0.8, None).describe() == "CPU, percent: not measured, at most 0.8"
