"""The address in session descriptions."""

from gateway.edge.sdp import replace_address

_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\na=rtcp:4001 IN IP4 127.0.0.1\r\na=x:127.0.0.1\r\n"
)


def test_the_address_is_replaced_where_it_is_one() -> None:
    changed = replace_address(_SDP, b"127.0.0.1", b"203.0.113.9")
    assert changed.count(b"203.0.113.9") == 4
    assert b"s=127.0.0.1\r\n" in changed
    assert b"a=x:127.0.0.1\r\n" in changed


def test_hold_and_other_addresses_stay() -> None:
    body = b"o=- 1 1 IN IP4 127.0.0.10\r\nc=IN IP4 0.0.0.0\r\nc=IN IP4 127.0.0.1/127\r\n"
    changed = replace_address(body, b"127.0.0.1", b"203.0.113.9")
    assert changed == b"o=- 1 1 IN IP4 127.0.0.10\r\nc=IN IP4 0.0.0.0\r\nc=IN IP4 203.0.113.9/127\r\n"


def test_nothing_to_do_gives_the_same_object() -> None:
    assert replace_address(_SDP, b"127.0.0.1", b"127.0.0.1") is _SDP
    assert replace_address(b"v=0\r\n", b"127.0.0.1", b"1.2.3.4") == b"v=0\r\n"
