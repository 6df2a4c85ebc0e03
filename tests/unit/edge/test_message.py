"""The message parser against golden messages, broken ones and random bytes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.message import MessageError, SipMessage, parse

_GOLDEN = Path(__file__).parents[2] / "golden" / "sip"
_NAMES = sorted(path.name.removesuffix(".in.sip") for path in _GOLDEN.glob("*.in.sip"))

_OPTIONS = (
    b"OPTIONS sip:gw.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx\r\n"
    b"From: <sip:a@b>;tag=1\r\n"
    b"To: <sip:gw.example>\r\n"
    b"Call-ID: c1\r\n"
    b"CSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize("name", _NAMES)
def test_golden_messages_come_out_as_written_down(name: str) -> None:
    received = (_GOLDEN / f"{name}.in.sip").read_bytes()
    assert parse(received).pack() == (_GOLDEN / f"{name}.out.sip").read_bytes()


@pytest.mark.parametrize("name", _NAMES)
def test_what_comes_out_parses_to_the_same(name: str) -> None:
    packed = (_GOLDEN / f"{name}.out.sip").read_bytes()
    assert parse(packed).pack() == packed


def test_there_are_golden_messages() -> None:
    assert len(_NAMES) >= 10


def test_the_parts_of_a_request() -> None:
    message = parse(_OPTIONS)
    assert (message.method, message.uri, message.status) == (b"OPTIONS", b"sip:gw.example", 0)
    assert (message.call_id, message.cseq, message.cseq_method) == (b"c1", 1, b"OPTIONS")


def test_the_parts_of_a_response() -> None:
    message = parse(_OPTIONS.replace(b"OPTIONS sip:gw.example SIP/2.0", b"SIP/2.0 200 OK", 1))
    assert (message.method, message.status, message.cseq_method) == (b"", 200, b"OPTIONS")


def test_odd_spellings_are_found_under_their_usual_name() -> None:
    message = parse((_GOLDEN / "odd_case_and_spaces.in.sip").read_bytes())
    assert message.get(b"call-id") == b"odd-1"
    assert message.get(b"to") == b"<sip:100@gw.example>"


def test_compact_names_are_found_under_their_long_name() -> None:
    message = parse((_GOLDEN / "compact_forms.in.sip").read_bytes())
    assert message.get(b"content-type") == b"application/sdp"
    assert message.call_id == b"compact-1"


def test_changing_a_message() -> None:
    message = parse(_OPTIONS)
    message.insert(0, b"Via", b"SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKy")
    message.set_body(b"hello")
    message.remove(b"from")
    again = message.pack()
    assert again.count(b"Via: ") == 2
    assert b"Content-Length: 5\r\n" in again
    assert again.endswith(b"\r\n\r\nhello")
    assert b"From:" not in again


def test_a_body_gets_a_content_length() -> None:
    message = parse(_OPTIONS.replace(b"Content-Length: 0\r\n", b""))
    message.set_body(b"abc")
    assert b"Content-Length: 3\r\n" in message.pack()


def test_a_repeated_header_that_may_be_there_once_is_dropped() -> None:
    message = parse(_OPTIONS.replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 0"))
    assert message.all(b"content-length") == [b"0"]


def _problem(data: bytes) -> MessageError:
    with pytest.raises(MessageError) as caught:
        parse(data)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"),
        (b"CSeq: 1 OPTIONS", b"CSeq: one OPTIONS"),
        (b"CSeq: 1 OPTIONS", b"CSeq: 2147483648 OPTIONS"),
        (b"Content-Length: 0", b"Content-Length: -1"),
        (b"Content-Length: 0", b"Content-Length: 5"),
        (b"Content-Length: 0", b"Content-Length: 0\r\nl: 1"),
        (b"Call-ID: c1", b"Call-ID: c1\r\nCall-ID: c2"),
        (b"Call-ID: c1", b"Call-ID: a b"),
        (b"Call-ID: c1", b"Call-ID: " + b"x" * 257),
        (b"Call-ID: c1", b"Call-ID: c1\r\nMax-Forwards: many"),
        (b"Call-ID: c1", b"Call-ID: c1\r\nno colon here"),
        (b"Call-ID: c1", b"Call-ID: c1\r\nbad name: x"),
        (b"Call-ID: c1", b"Call-ID: c1\r\n" + b"X: y\r\n" * 300 + b"Z: z"),
        (b"sip:gw.example", b"sip:gw .example"),
        (b"sip:gw.example", b"sip:gw\xff.example"),
    ],
)
def test_a_broken_request_can_be_answered(old: bytes, new: bytes) -> None:
    answerable = _problem(_OPTIONS.replace(old, new, 1)).answerable
    assert isinstance(answerable, SipMessage)
    assert answerable.method == b"OPTIONS"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"hello",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        _OPTIONS.replace(b"OPTIONS sip:gw.example SIP/2.0", b"OPTIONS SIP/2.0"),
        _OPTIONS.replace(b"OPTIONS sip", b"OPT(IONS sip"),
        _OPTIONS.replace(b"Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx\r\n", b""),
        _OPTIONS.replace(b"From: <sip:a@b>;tag=1\r\n", b""),
        _OPTIONS.replace(b"Call-ID: c1\r\n", b""),
        _OPTIONS.replace(b"From: <", b"From: \0<"),
        _OPTIONS[:-2],
    ],
)
def test_what_can_not_even_be_answered(data: bytes) -> None:
    assert _problem(data).answerable is None


def test_a_lone_cr_can_not_smuggle_a_header() -> None:
    smuggled = _OPTIONS.replace(b"Call-ID: c1", b"Call-ID: c1\r\nX: y\rX-Gateway-Peer: udp:1.2.3.4:5")
    assert "lone CR" in _problem(smuggled).problem


def _check(data: bytes) -> None:
    try:
        message = parse(data)
    except MessageError as exc:
        answerable = exc.answerable
    else:
        return _check_stable(message)
    needed = (b"via", b"from", b"to", b"call-id", b"cseq")
    assert answerable is None or all(answerable.get(key) for key in needed)
    return None


def _check_stable(message: SipMessage) -> None:
    packed = message.pack()
    again = parse(packed)
    assert again.pack() == packed
    assert (again.method, again.uri, again.status) == (message.method, message.uri, message.status)
    assert (again.call_id, again.cseq) == (message.call_id, message.cseq)


@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    _check(data)


_PIECES = st.sampled_from(
    b'\r\n|\n|\r| |\t|:|,|;|<|>|"|\\|\0|\xff|SIP/2.0|Via: |v:|l: 0\r\n|Content-Length: 3\r\n|CSeq: 1 A\r\n'
    b"|Route: <sip:a>,<sip:b>\r\n".split(b"|")
)


@given(st.lists(st.tuples(st.integers(0, len(_OPTIONS)), _PIECES, st.integers(0, 6)), max_size=6))
def test_damaged_messages_raise_nothing_else_and_stay_stable(
    damage: list[tuple[int, bytes, int]],
) -> None:
    data = _OPTIONS
    for position, piece, cut in damage:
        data = data[:position] + piece + data[position + cut :]
    _check(data)
