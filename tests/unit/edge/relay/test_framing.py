"""Datagrams on a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.relay.framing import MAX_DATAGRAM_BYTES, Deframer, FramingError, frame

_datagrams = st.lists(st.binary(min_size=1, max_size=100), max_size=8)


@given(_datagrams, st.integers(1, 40))
def test_they_survive_any_cut(datagrams: list[bytes], step: int) -> None:
    stream = b"".join(frame(each) for each in datagrams)
    deframer = Deframer()
    found = [each for at in range(0, len(stream), step) for each in deframer.feed(stream[at : at + step])]
    assert found == datagrams


def test_empty_ones_are_left_out() -> None:
    assert Deframer().feed(b"\x00\x00\x00\x01x\x00\x00") == [b"x"]


def test_the_longest_one_fits_and_a_longer_one_does_not() -> None:
    longest = bytes(MAX_DATAGRAM_BYTES)
    assert Deframer().feed(frame(longest)) == [longest]
    with pytest.raises(FramingError):
        frame(longest + b"x")


def test_a_length_that_can_not_be_ends_the_stream_before_anything_is_kept() -> None:
    with pytest.raises(FramingError):
        Deframer().feed(b"GET / HTTP/1.1")


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_random_bytes_raise_nothing_else(chunks: list[bytes]) -> None:
    deframer = Deframer()
    try:
        for chunk in chunks:
            deframer.feed(chunk)
    except FramingError:
        return
