"""The ways to write a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialplan.language.numbers import forms, is_region
from gateway.dialplan.language.share import pick, place_of, within


@pytest.mark.parametrize(
    ("number", "region", "full"),
    [
        ("+49305550100", "", "+49305550100"),
        ("+49 (30) 555-0100", "", "+49305550100"),
        ("0049305550100", "DE", "+49305550100"),
        ("0049305550100", "", "+49305550100"),
        ("030 5550100", "DE", "+49305550100"),
        ("+491701", "DE", "+491701"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("011 49 30 5550100", "US", "+49305550100"),
        ("00390612345678", "DE", "+390612345678"),
    ],
)
def test_the_last_form_is_e164(number: str, region: str, full: str) -> None:
    found = forms(number, region)
    assert found[0] == number
    assert found[-1] == full


@pytest.mark.parametrize(
    "number", ["", "demo", "100", "1-800-FLOWERS", "*97", "+", "anonymous", "٣٤٥", "1" * 60]
)
def test_what_is_no_telephone_number_stays_as_it_is(number: str) -> None:
    assert forms(number, "DE") == (number,)


@given(st.text(max_size=45), st.sampled_from(["", "DE", "US", "ZZ", "nowhere"]))
def test_no_text_raises(number: str, region: str) -> None:
    found = forms(number, region)
    assert found[0] == number
    assert len(found) <= 3


def test_regions() -> None:
    assert is_region("DE")
    assert not is_region("XX")


# ---- shares --------------------------------------------------------------------------------------


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_place_stays(caller: str, purpose: str) -> None:
    assert 0 <= place_of(caller, purpose) < 1
    assert place_of(caller, purpose) == place_of(caller, purpose)
    assert within(caller, purpose, 100)
    assert not within(caller, purpose, 0)


def test_shares_are_even_and_independent_of_each_other() -> None:
    callers = [f"+4930{number}" for number in range(4000)]
    one = {caller for caller in callers if within(caller, "one", 10)}
    two = {caller for caller in callers if within(caller, "two", 10)}
    assert 300 < len(one) < 500
    assert len(one & two) < 80


@given(st.text(max_size=10), st.dictionaries(st.text(max_size=3), st.floats(0, 1e6), min_size=1))
def test_a_pick_is_one_of_the_names(caller: str, weights: dict[str, float]) -> None:
    if sum(weights.values()) > 0:
        assert pick(caller, "x", weights) in weights


def test_picks_follow_the_weights() -> None:
    picked = [pick(f"caller {number}", "x", {"a": 90, "b": 10, "c": 0}) for number in range(4000)]
    assert 3500 < picked.count("a") < 3700
    assert picked.count("c") == 0
