"""The callers' SIP messages."""

import pytest

from gateway.bench.sip import (
    SipSyntaxError,
    build_message,
    build_offer,
    build_response,
    parse_answer,
    parse_message,
)

_RESPONSE = (
    b"SIP/2.0 200 OK\r\n"
    b"v: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n"
    b"f: <sip:a@h>;tag=a1\r\n"
    b"To: <sip:b@h>\r\n ;tag=b2\r\n"
    b"i: abc@h\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Record-Route: <sip:edge;lr;c=1,2>, <sip:inner;lr>\r\n"
    b"record-route: <sip:third;lr>\r\n"
    b"m: <sip:gw@127.0.0.1:5;c=3>;expires=5\r\n"
    b"l: 4\r\n\r\nbody"
)


def test_reads_compact_folded_and_repeated_headers() -> None:
    message = parse_message(_RESPONSE)
    assert (message.status, message.method, message.to_tag) == (200, "INVITE", "b2")
    assert message.first("call-id") == "abc@h"
    assert message.all("record-route") == ["<sip:edge;lr;c=1,2>", "<sip:inner;lr>", "<sip:third;lr>"]
    assert message.contact_uri == "sip:gw@127.0.0.1:5;c=3"
    assert message.body == "body"


def test_a_contact_without_brackets_ends_at_its_parameters() -> None:
    message = parse_message(_RESPONSE.replace(b"<sip:gw@127.0.0.1:5;c=3>", b"sip:gw@h"))
    assert message.contact_uri == "sip:gw@h"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x80\xc8 not sip",
        b"SIP/2.0 999 Odd\r\n\r\n",
        b"INVITE sip:x HTTP/1.1\r\n\r\n",
        _RESPONSE.replace(b"CSeq: 1 INVITE", b"CSeq 1 INVITE"),
        _RESPONSE.replace(b"i: abc@h\r\n", b""),
    ],
)
def test_what_is_no_sip_raises_the_documented_error(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_message(data)


def test_what_it_writes_it_reads() -> None:
    headers = [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "c"), ("CSeq", "7 BYE")]
    message = parse_message(build_message("BYE sip:x@h SIP/2.0", headers, "å"))
    assert (message.status, message.method, message.body) == (None, "BYE", "å")
    assert message.first("content-length") == "2"


def test_a_response_repeats_the_request_and_adds_the_tag_once() -> None:
    request = parse_message(
        b"BYE sip:me SIP/2.0\r\nVia: one, two\r\nVia: three\r\nFrom: <f>;tag=1\r\nTo: <t>\r\n"
        b"Call-ID: c\r\nCSeq: 3 BYE\r\n\r\n"
    )
    response = parse_message(build_response(request, 501, "Not Implemented", "mine"))
    assert response.status == 501
    assert response.all("via") == ["one", "two", "three"]
    assert (response.to_tag, response.first("cseq")) == ("mine", "3 BYE")
    tagged = parse_message(build_response(parse_message(_RESPONSE), 200, "OK", "other"))
    assert tagged.to_tag == "b2"


def test_reads_its_own_offer_as_an_answer() -> None:
    assert parse_answer(build_offer("127.0.0.1", 4000)) == ("127.0.0.1", 4000)


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "c=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n",
        "c=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8 0\r\n",
        "c=IN IP6 ::1\r\nm=audio 4000 RTP/AVP 0\r\n",
        "c=IN IP4 127.0.0.1\r\nm=audio 70000 RTP/AVP 0\r\n",
    ],
)
def test_an_answer_that_takes_no_pcmu_is_refused(sdp: str) -> None:
    with pytest.raises(SipSyntaxError):
        parse_answer(sdp)
