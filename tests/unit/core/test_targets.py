"""Targets as people write them, and who may be dialled."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.targets import (
    PersonTarget,
    SipTarget,
    TargetError,
    allowed,
    escaped_user,
    is_pattern,
    names_one,
    parse_target,
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("sip:op1@pbx", SipTarget("op1", "pbx")),
        ("SIP:op1@pbx", SipTarget("op1", "pbx")),
        ("+49305550107@pbx", SipTarget("+49305550107", "pbx")),
        ("+49 (30) 555-01.07@pbx", SipTarget("+49305550107", "pbx")),
        ("200@carrier-a", SipTarget("200", "carrier-a")),
        ("sip:first.last@pbx", SipTarget("first.last", "pbx")),
        ("sip:a%40b@pbx", SipTarget("a@b", "pbx")),
        ("sip:%C3%BCli@pbx", SipTarget("üli", "pbx")),
        ("sip:*97@pbx", SipTarget("*97", "pbx")),
        ("tel:+49-30-5550107", SipTarget("+49305550107", None)),
        ("tel:+49305550107;ext=5", SipTarget("+49305550107", None)),
        ("webrtc:op2", PersonTarget("op2")),
        (" webrtc:op2 ", PersonTarget("op2")),
    ],
)
def test_what_a_target_means(text: str, target: object) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "op1",
        "+49305550107",
        "sip:op1",
        "sip:@pbx",
        "sip:op1@",
        "sip:op1@192.0.2.1",
        "sip:op1@pbx:5070",
        "sip:op1@pbx;transport=tcp",
        "sip:a@b@pbx",
        "sip:a b@pbx",
        "sip:%0d%0aX:1@pbx",
        "sip:%ff@pbx",
        "sip:" + "a" * 129 + "@pbx",
        "sips:op1@pbx",
        "tel:12345",
        "tel:+49x",
        "webrtc:",
        "webrtc:Op 2",
        "webrtc:op2@pbx",
        "mailto:op1@pbx",
    ],
)
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(TargetError, match=re.escape("expected sip:USER@TRUNK, NUMBER@TRUNK")):
        parse_target(text)


@given(st.text())
def test_any_text_is_a_target_or_an_error(text: str) -> None:
    try:
        target = parse_target(text)
    except TargetError:
        return
    assert target.user.isprintable()


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20))
def test_a_user_survives_its_escaping(user: str) -> None:
    escaped = escaped_user(user)
    assert re.fullmatch(r"[A-Za-z0-9_.!~*'()&=+$%-]+", escaped)
    parsed = parse_target(f"sip:{escaped}@pbx")
    assert parsed.user in (user, re.sub("[().-]", "", user))


@pytest.mark.parametrize(
    ("user", "pattern", "may"),
    [
        ("op1", "op1", True),
        ("op12", "op1", False),
        ("xop1", "op1", False),
        ("OP1", "op1", False),
        ("op1", "op*", True),
        ("op", "op*", True),
        ("+4930123", "+49*", True),
        ("+4830123", "+49*", False),
        ("004930123", "+49*", False),
        ("anything", "*", True),
        ("205", "2XX", True),
        ("2055", "2XX", False),
        ("20", "2XX", False),
        ("2٣٣", "2XX", False),
        ("100", "Z00", True),
        ("000", "Z00", False),
        ("100", "N00", False),
        ("900", "N00", True),
        ("0900123", "0NX*", True),
        ("a.b", "a.b", True),
        ("axb", "a.b", False),
        ("op1\n", "op1", False),
    ],
)
def test_patterns(user: str, pattern: str, may: bool) -> None:
    assert allowed(user, (pattern,)) is may
    assert allowed(user, ("nobody", pattern)) is may


def test_without_patterns_nobody_may_be_dialled() -> None:
    assert not allowed("op1", ())
    assert not allowed("", ())


@pytest.mark.parametrize("text", ["", "a b", "*1*", "**", "a\n"])
def test_what_is_no_pattern(text: str) -> None:
    assert not is_pattern(text)


@pytest.mark.parametrize("text", ["*", "+49*", "op1", "2XX"])
def test_what_is_a_pattern(text: str) -> None:
    assert is_pattern(text)


@pytest.mark.parametrize(
    ("pattern", "one"),
    [("sip:op1@pbx", True), ("tel:+4930", True), ("", True), ("+49*", False), ("*", False)]
    + [(f"30{letter}", False) for letter in "XZN"],
)
def test_whether_a_pattern_is_a_single_user(pattern: str, one: bool) -> None:
    assert names_one(pattern) is one
