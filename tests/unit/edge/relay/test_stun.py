"""What is read of STUN messages, and what is not believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.relay.stun import BINDING_SUCCESS, BindingRequest, message_type, parse_request, transaction
from tests.unit.edge.relay.messages import (
    MESSAGE_INTEGRITY,
    REQUEST,
    SUCCESS,
    USE_CANDIDATE,
    USERNAME,
    answer,
    attribute,
    message,
    request,
)

_ID = bytes(range(12))

# RFC 5769 section 2.1: a request with the user name evtj:h6vY, checked by others.
_RFC_5769 = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)


def test_the_request_of_rfc_5769() -> None:
    assert message_type(_RFC_5769) == REQUEST
    assert transaction(_RFC_5769) == bytes.fromhex("b7e7a701bc34d686fa87dfae")
    assert parse_request(_RFC_5769) == BindingRequest("evtj", nominated=False)


def test_a_nomination_is_seen() -> None:
    assert parse_request(request("abcd", _ID, nominated=True)) == BindingRequest("abcd", nominated=True)


def test_a_success_is_told_from_a_request() -> None:
    assert message_type(answer(SUCCESS, _ID)) == BINDING_SUCCESS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _RFC_5769[:19],
        _RFC_5769[:-4],
        _RFC_5769 + bytes(4),
        b"\x80" + _RFC_5769[1:],
        _RFC_5769[:4] + bytes(4) + _RFC_5769[8:],
        b"\x00\x01\x00\x03\x21\x12\xa4\x42" + bytes(15),
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    assert message_type(data) is None


@pytest.mark.parametrize(
    "attributes",
    [
        (),
        (attribute(USERNAME, b"a:b"),),
        (attribute(MESSAGE_INTEGRITY, bytes(20)), attribute(USERNAME, b"a:b")),
        (attribute(USERNAME, b"no colon"), attribute(MESSAGE_INTEGRITY, bytes(20))),
        (attribute(USERNAME, b"\xff:b"), attribute(MESSAGE_INTEGRITY, bytes(20))),
        (attribute(USERNAME, b"a" * 600 + b":b"), attribute(MESSAGE_INTEGRITY, bytes(20))),
        (b"\x00\x06\xff\xfc",),
    ],
    ids=["nothing", "no integrity", "name behind integrity", "no colon", "not ascii", "too long", "overrun"],
)
def test_requests_that_name_nobody(attributes: tuple[bytes, ...]) -> None:
    assert parse_request(message(REQUEST, _ID, *attributes)) is None


def test_what_stands_behind_the_integrity_does_not_count() -> None:
    data = message(
        REQUEST,
        _ID,
        attribute(USERNAME, b"a:b"),
        attribute(MESSAGE_INTEGRITY, bytes(20)),
        attribute(USE_CANDIDATE, b""),
    )
    assert parse_request(data) == BindingRequest("a", nominated=False)


@given(st.binary(max_size=200))
def test_random_bytes_are_read_without_an_error(data: bytes) -> None:
    if message_type(data) is not None:
        parse_request(data)


@given(st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=30)), max_size=8), st.integers(0, 3))
def test_random_attributes_are_read_without_an_error(parts: list[tuple[int, bytes]], cut: int) -> None:
    data = message(REQUEST, _ID, *(attribute(kind, value) for kind, value in parts))
    parse_request(data[: len(data) - cut])
