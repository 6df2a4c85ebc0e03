"""The TCP framer, fed in every possible portion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.framing import StreamError, StreamFramer

_ONE = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 5\r\n\r\nhello"
_TWO = b"BYE sip:a SIP/2.0\r\nCall-ID: 2\r\nl : 0\r\n\r\n"
_LF = b"OPTIONS sip:a SIP/2.0\nContent-Length:\n 2\n\nhi"
_NO_LENGTH = b"ACK sip:a SIP/2.0\r\nCall-ID: 3\r\n\r\n"


@given(st.lists(st.integers(1, 400), max_size=12))
def test_portions_make_no_difference(cuts: list[int]) -> None:
    stream = _ONE + b"\r\n\r\n" + _TWO + b"\r\n" + _LF + _NO_LENGTH + _ONE
    framer = StreamFramer()
    messages: list[bytes] = []
    pings, start = 0, 0
    for end in [*sorted(set(cuts)), len(stream)]:
        framed = framer.feed(stream[start:end])
        messages += framed.messages
        pings += framed.pings
        start = max(start, end)
    assert messages == [_ONE, _TWO, _LF, _NO_LENGTH, _ONE]
    assert pings == 1
    assert not framer.midway


def test_byte_by_byte() -> None:
    framer = StreamFramer()
    messages = [message for byte in _ONE + _TWO for message in framer.feed(bytes([byte])).messages]
    assert messages == [_ONE, _TWO]


def test_a_keep_alive_in_two_halves_is_one_ping() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n") == ([], 0)
    assert framer.feed(b"\r\n") == ([], 1)
    assert framer.feed(b"\r\n\r\n\r\n\r\n") == ([], 2)
    assert not framer.midway


def test_blank_lines_do_not_pile_up() -> None:
    framer = StreamFramer(max_bytes=64)
    for _ in range(1000):
        framer.feed(b"\n\n\n")
    assert framer.feed(_TWO).messages == [_TWO]


def test_midway() -> None:
    framer = StreamFramer()
    framer.feed(_ONE[:-1])
    assert framer.midway


@pytest.mark.parametrize(
    "data",
    [
        b"A" * 200,
        b"A: b\r\nContent-Length: minus\r\n\r\n",
        b"A: b\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
        b"A: b\r\nContent-Length: 99999999999\r\n\r\n",
    ],
)
def test_streams_that_can_not_be_followed(data: bytes) -> None:
    with pytest.raises(StreamError) as caught:
        StreamFramer(max_bytes=100).feed(data)
    assert caught.value.head == b""


def test_the_head_of_a_message_that_is_too_long_is_handed_out() -> None:
    head = b"INVITE sip:a SIP/2.0\r\nContent-Length: 500\r\n\r\n"
    with pytest.raises(StreamError) as caught:
        StreamFramer(max_bytes=100).feed(head)
    assert caught.value.head == head


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_random_streams_raise_nothing_else_and_stay_bounded(portions: list[bytes]) -> None:
    framer = StreamFramer(max_bytes=100)
    try:
        for portion in portions:
            for message in framer.feed(portion).messages:
                assert len(message) <= 100
    except StreamError:
        return
