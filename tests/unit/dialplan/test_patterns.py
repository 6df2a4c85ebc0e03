"""Patterns for numbers, their relations, and lists made of them."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialplan.language.lists import make_list, read_csv
from gateway.dialplan.language.patterns import Pattern, PatternError, parse_pattern


def fits_one(patterns: Sequence[Pattern], subject: str) -> bool:
    return any(pattern.matches(subject) for pattern in patterns)


def matching(text: str, subjects: list[str]) -> list[str]:
    return [subject for subject in subjects if fits_one(parse_pattern(text), subject)]


@pytest.mark.parametrize(
    ("text", "fits", "fails"),
    [
        ("+49305550100", ["+49305550100"], ["+493055501000", "+4930555010", "49305550100"]),
        ("+4930*", ["+4930", "+49301"], ["+493", "4930"]),
        ("*", ["", "x", "+49"], []),
        ("+4930X", ["+49300", "+49309"], ["+4930", "+4930X", "+493000"]),
        ("Z00", ["100", "900"], ["000", "Z00"]),
        ("NXX", ["200", "999"], ["199", "NXX"]),
        ("30[1-3]X", ["3010", "3039"], ["3000", "3040"]),
        ("30[13]*", ["301", "3035"], ["302"]),
        ("demo", ["demo"], ["Demo", "demos"]),
        ("NEXT", ["NEXT"], ["2E2T"]),
        ("op*", ["op1", "op"], ["o"]),
        ("+4930555010-49", ["+4930555010", "+4930555049"], ["+4930555009", "+4930555050"]),
        ("+49300998-+49301002", ["+49300998", "+49300999", "+49301002"], ["+49300997", "+49301003"]),
        ("7-9", ["7", "8", "9"], ["6", "77"]),
        ("/^\\+49(30|89)/", ["+4930", "+49891"], ["+4940", "x+4930"]),
        ("/99$/", ["99", "+499"], ["991"]),
    ],
)
def test_what_fits(text: str, fits: list[str], fails: list[str]) -> None:
    assert matching(text, fits + fails) == fits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 256"),
        ("x" * 257, "1 to 256"),
        ("1*2", "at most one *"),
        ("**", "at most one *"),
        ("a b", "without spaces"),
        ("/(/", "regular expression"),
        ("/(?=x)/", "regular expression"),
        ("20-10", "smaller number first"),
        ("1-100", "no longer than"),
        ("1-+2", "both ends"),
        ("[3-1]X", "smaller digit first"),
        ("[1-]X", "digits or a range"),
    ],
)
def test_what_is_no_pattern(text: str, said: str) -> None:
    with pytest.raises(PatternError, match=re.escape(said)):
        parse_pattern(text)


@given(st.text(max_size=20), st.text(max_size=300))
def test_no_text_raises_anything_else(text: str, subject: str) -> None:
    try:
        patterns = parse_pattern(text)
    except PatternError:
        return
    assert all(pattern.covers(pattern) for pattern in patterns)
    # A text fits at most one part of a range.
    assert sum(pattern.matches(subject) for pattern in patterns) <= 1


@given(st.integers(0, 99999), st.integers(0, 99999), st.integers(0, 99999))
def test_a_range_is_all_numbers_between_its_ends(one: int, two: int, number: int) -> None:
    low, high = sorted((one, two))
    patterns = parse_pattern(f"+49{low:05}-+49{high:05}")
    assert fits_one(patterns, f"+49{number:05}") == (low <= number <= high)
    assert sum(pattern.matches(f"+49{number:05}") for pattern in patterns) <= 1


_PART = st.sampled_from(["1", "2", "X", "Z", "N", "[12]", "[0-4]"])
_PATTERN = st.tuples(st.lists(_PART, min_size=1, max_size=4), st.booleans()).map(
    lambda made: "".join(made[0]) + "*" * made[1]
)


@given(_PATTERN, _PATTERN, st.text("0123456789", max_size=5))
def test_relations_of_patterns_agree_with_what_fits(one: str, two: str, number: str) -> None:
    (first,), (second,) = parse_pattern(one), parse_pattern(two)
    if first.covers(second) and second.matches(number):
        assert first.matches(number)
    if first.matches(number) and second.matches(number):
        assert first.overlaps(second)
        assert second.overlaps(first)
    if first.matches(number):
        assert number.startswith(first.literal)
        assert not first.exact or number == first.literal


def test_relations_of_expressions() -> None:
    (expression,), (number,), (everything,) = map(parse_pattern, ("/^1/", "12", "*"))
    assert expression.covers(number)
    assert not number.covers(expression)
    assert everything.covers(expression)
    assert expression.covers(expression)
    assert not number.overlaps(expression)


def test_an_expression_does_not_look_at_endless_texts() -> None:
    (expression,) = parse_pattern("/(a+a+)+b/")
    assert not expression.matches("a" * 256)
    assert not expression.matches("a" * 5000 + "b")


# ---- lists ---------------------------------------------------------------------------------------


@given(st.lists(_PATTERN, max_size=6), st.text("0123456789", max_size=5))
def test_a_list_is_its_patterns(texts: list[str], number: str) -> None:
    patterns = [pattern for text in texts for pattern in parse_pattern(text)]
    assert make_list(patterns).matches((number,)) == fits_one(patterns, number)


def test_a_csv_file() -> None:
    text = "number,name\r\n+491,Anna\n\n# nothing\n+4930*,all\n  100 ,\n"
    patterns, problems = read_csv(text, "vip.csv")
    assert [pattern.text for pattern in patterns] == ["+491", "+4930*", "100"]
    assert problems == []


def test_mistakes_in_a_csv_file_have_their_line() -> None:
    _, problems = read_csv("+491\n1*2,x\n\na b\n", "vip.csv")
    assert [str(problem) for problem in problems] == [
        'vip.csv:2:1: found "1*2", expected at most one *, at the end',
        'vip.csv:4:1: found "a b", expected a pattern without spaces',
    ]


@given(st.text(max_size=60))
def test_no_text_breaks_the_csv_reader(text: str) -> None:
    patterns, problems = read_csv(text, "x.csv")
    assert len(make_list(patterns)) <= len(patterns)
    assert all(problem.file == "x.csv" for problem in problems)
