"""Framing on the unix sockets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ids import LegId, Mark
from gateway.wire.frames import (
    MAX_PAYLOAD_BYTES,
    FrameDecoder,
    FrameKind,
    HeardFlag,
    PlayFlag,
    WireError,
    pack_frame,
    pack_heard_record,
    pack_play,
    unpack_heard,
    unpack_play,
)

FRAMES = st.lists(st.tuples(st.sampled_from(list(FrameKind)), st.binary(max_size=60)), max_size=8)
CUTS = st.lists(st.integers(0, 700), max_size=20)
U32 = st.integers(0, 2**32 - 1)


@given(FRAMES, CUTS)
def test_a_stream_is_cut_into_its_frames_however_it_arrives(
    frames: list[tuple[FrameKind, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(pack_frame(kind, payload) for kind, payload in frames)
    decoder, got = FrameDecoder(), []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        got += decoder.feed(stream[start:end])
    assert got == frames


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_frames_or_a_wire_error(stream: bytes, size: int) -> None:
    decoder = FrameDecoder()
    consumed = 0
    try:
        for at in range(0, len(stream), size):
            for _, payload in decoder.feed(stream[at : at + size]):
                consumed += len(payload) + 5
    except WireError:
        return
    assert consumed <= len(stream)


def test_a_frame_at_the_limit_passes_and_one_above_does_not() -> None:
    largest = pack_frame(FrameKind.PLAY, bytes(MAX_PAYLOAD_BYTES))
    assert len(FrameDecoder().feed(largest)[0][1]) == MAX_PAYLOAD_BYTES
    with pytest.raises(WireError, match="exceeds the limit"):
        FrameDecoder().feed(pack_frame(FrameKind.PLAY, bytes(MAX_PAYLOAD_BYTES + 1)))


def test_an_oversized_frame_is_refused_by_its_header_alone() -> None:
    with pytest.raises(WireError):
        FrameDecoder().feed(b"\xff\xff\xff\xff\x01")


@given(st.lists(st.tuples(U32, st.integers(0, 0xFFFF), st.binary(max_size=700)), max_size=6))
def test_heard_records_round_trip(records: list[tuple[int, int, bytes]]) -> None:
    payload = b"".join(pack_heard_record(LegId(leg), flags, pcm) for leg, flags, pcm in records)
    assert list(unpack_heard(payload)) == records


@given(st.binary(max_size=60))
def test_any_heard_payload_is_records_or_a_wire_error(payload: bytes) -> None:
    try:
        records = list(unpack_heard(payload))
    except WireError:
        return
    assert b"".join(pack_heard_record(*record) for record in records) == payload


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_truncated_heard_record(cut: int) -> None:
    whole = pack_heard_record(LegId(1), HeardFlag.CONCEALED, b"abcd")
    assert list(unpack_heard(whole)) == [(1, HeardFlag.CONCEALED, b"abcd")]
    with pytest.raises(WireError):
        list(unpack_heard(whole[:-cut]))


@given(U32, U32, st.sampled_from([*PlayFlag, PlayFlag.LAST | PlayFlag.LIVE]), st.binary(max_size=100))
def test_play_frames_round_trip(leg: int, mark: int, flags: PlayFlag, pcm: bytes) -> None:
    ((kind, payload),) = FrameDecoder().feed(pack_play(LegId(leg), Mark(mark), flags, pcm))
    assert kind == FrameKind.PLAY
    assert unpack_play(payload) == (leg, mark, flags, pcm)


@pytest.mark.parametrize("size", range(12))
def test_a_truncated_play_frame(size: int) -> None:
    with pytest.raises(WireError):
        unpack_play(bytes(size))
