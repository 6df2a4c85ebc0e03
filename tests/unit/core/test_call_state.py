"""The table of a call's states."""

from itertools import pairwise, product

import pytest

from gateway.core.call_state import CallState, advance
from gateway.errors import LocalError

S = CallState


def allowed(current: CallState, following: CallState) -> bool:
    try:
        return advance(current, following) is following
    except LocalError:
        return False


ALLOWED = {(a, b) for a, b in product(S, S) if allowed(a, b)}


@pytest.mark.parametrize(
    "path",
    [
        [S.OFFERED, S.RINGING, S.ANSWERING, S.TALKING, S.CLOSING, S.ENDED],
        [S.OFFERED, S.RINGING, S.ANSWERING, S.APOLOGISING, S.CLOSING, S.ENDED],
        [S.OFFERED, S.RINGING, S.ANSWERING, S.TALKING, S.RECOVERING, S.TALKING, S.ENDED],
        [S.OFFERED, S.RINGING, S.ANSWERING, S.IN_PLAN, S.TALKING, S.BRIDGED, S.IN_PLAN, S.CLOSING, S.ENDED],
        [S.OFFERED, S.RECOVERING, S.APOLOGISING, S.CLOSING, S.ENDED],
    ],
)
def test_lives_of_calls(path: list[CallState]) -> None:
    for current, following in pairwise(path):
        assert advance(current, following) is following


def test_a_call_can_end_from_everywhere_but_the_end() -> None:
    for state in set(S) - {S.ENDED}:
        assert (state, S.ENDED) in ALLOWED
    for state in set(S) - {S.CLOSING, S.ENDED}:
        assert (state, S.CLOSING) in ALLOWED


def test_nothing_leaves_the_end_and_only_the_end_follows_closing() -> None:
    assert {b for a, b in ALLOWED if a is S.ENDED} == set()
    assert {b for a, b in ALLOWED if a is S.CLOSING} == {S.ENDED}


def test_an_apology_is_never_taken_back() -> None:
    assert {b for a, b in ALLOWED if a is S.APOLOGISING} == {S.CLOSING, S.ENDED}


@pytest.mark.parametrize("served", [S.IN_PLAN, S.TALKING, S.BRIDGED])
def test_nobody_is_served_before_the_answer(served: CallState) -> None:
    before = {a for a, b in ALLOWED if b is served}
    assert before == {S.ANSWERING, S.RECOVERING, S.IN_PLAN, S.TALKING, S.BRIDGED} - {served}


def test_the_error_names_both_states() -> None:
    with pytest.raises(LocalError, match="from offered to talking"):
        advance(S.OFFERED, S.TALKING)
