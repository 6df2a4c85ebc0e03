"""The phone's reading of RTP, and its account of the call."""

import struct

import pytest

from gateway.rehearse.phone import Phone
from gateway.rehearse.script import Quiet, Script
from tests.unit.rehearse.lines import spoken, trace

AUDIO = bytes(range(160))


def _packet(first: int = 0x80, kind: int = 0, extra: bytes = b"", payload: bytes = AUDIO) -> bytes:
    return struct.pack("!BBHII", first, kind, 7, 160, 9) + extra + payload


def _heard(data: bytes) -> list[bytes]:
    phone = Phone(0, 1, Script("test", (Quiet(1.0),)))
    phone.on_rtp(data, ("127.0.0.1", 9), 5.0)
    return [packet.payload for packet in phone.heard]


@pytest.mark.parametrize(
    "data",
    [
        _packet(),
        _packet(0x82, extra=bytes(8)),
        _packet(0x90, extra=b"\xbe\xde\x00\x01" + bytes(4)),
        _packet(0xA0, payload=AUDIO + b"\x00\x00\x00\x04"),
        _packet(kind=0x80),
    ],
    ids=["plain", "sources", "extension", "padding", "marker"],
)
def test_the_audio_is_found_behind_any_header(data: bytes) -> None:
    assert _heard(data) == [AUDIO]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(12),
        _packet(kind=101),
        _packet(0x40),
        _packet(payload=b""),
        _packet(0x8F, payload=b"x"),
        _packet(0x90, payload=b""),
        _packet(0xA0, payload=b"\xff"),
    ],
    ids=["empty", "header", "event", "version", "nothing", "too many sources", "no extension", "all padding"],
)
def test_what_is_no_audio_is_not_heard(data: bytes) -> None:
    assert _heard(data) == []


def test_a_moment_at_the_mouth_is_before_its_packet_went_out() -> None:
    said = spoken("speech", 2.0, 3.0)
    call = trace([], said)
    assert call.mouth_s(said, 0.0) == pytest.approx(1002.0)
    assert call.mouth_s(said, 30.0) == pytest.approx(1002.03)
    assert call.sent_s[said.first_frame] == pytest.approx(1002.02)
