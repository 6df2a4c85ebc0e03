"""References to environment variables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.environment import UnresolvedError, expand, has_reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${A}", "1"),
        ("x${A}y${_B2}z", "x1y${A}z"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$$${A}", "$1"),
        ("$A costs $5 $", "$A costs $5 $"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    # A variable's own value is not expanded again.
    assert expand(text, {"A": "1", "_B2": "${A}"}) == expected


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${1A}", "${A B}", "${A-x}", "${é}"])
def test_broken_references(text: str) -> None:
    with pytest.raises(UnresolvedError, match="broken") as caught:
        expand(text, {"A": "1", "1A": "1", "é": "1"})
    assert "${NAME}" in caught.value.expected


def test_an_unset_variable_is_named() -> None:
    with pytest.raises(UnresolvedError, match="the environment variable NO to be set"):
        expand("a ${NO}", {})


@pytest.mark.parametrize(
    ("text", "expected"), [("${A}", True), ("$${A}", False), ("$A", False), ("${", True)]
)
def test_has_reference(text: str, expected: bool) -> None:
    assert has_reference(text) is expected


@given(st.text())
def test_escaping_every_dollar_gives_the_text_back(text: str) -> None:
    assert expand(text.replace("$", "$$"), {}) == text
