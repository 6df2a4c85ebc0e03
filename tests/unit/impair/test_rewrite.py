"""SIP and SDP as an impairer changes them."""

import pytest

from gateway.edge.message import parse
from gateway.impair.rewrite import Exchange, FarMedia, exchange_addresses, redirect_audio

PHONE, INNER = ("127.0.0.1", 40000), ("127.0.0.1", 50001)
OWN, SERVER = ("127.0.0.1", 6000), ("192.0.2.7", 5060)


def message(*lines: str) -> bytes:
    return "\r\n".join((*lines, "Content-Length: 0", "", "")).encode()


INVITE = message(
    "INVITE sip:1000@127.0.0.1:6000 SIP/2.0",
    "Via: SIP/2.0/UDP 127.0.0.1:40000;rport;branch=z9hG4bKx",
    "From: <sip:phone@127.0.0.1:40000>;tag=a",
    "To: <sip:1000@127.0.0.1:6000>",
    "Call-ID: x@127.0.0.1:40000",
    "CSeq: 1 INVITE",
    "Contact: <sip:phone@127.0.0.1:40000;ob>",
    'Proxy-Authorization: Digest uri="sip:1000@127.0.0.1:6000", response="ab"',
)


def test_a_request_looks_as_if_we_were_the_phone_and_it_had_called_the_server() -> None:
    sent = parse(INVITE)
    exchange_addresses(sent, Exchange(PHONE, INNER), Exchange(OWN, SERVER))
    assert sent.start == b"INVITE sip:1000@192.0.2.7:5060 SIP/2.0"
    assert sent.get(b"via") == b"SIP/2.0/UDP 127.0.0.1:50001;rport;branch=z9hG4bKx"
    assert sent.get(b"from") == b"<sip:phone@127.0.0.1:50001>;tag=a"
    assert sent.get(b"to") == b"<sip:1000@192.0.2.7:5060>"
    assert sent.get(b"contact") == b"<sip:phone@127.0.0.1:50001;ob>"
    assert sent.get(b"call-id") == b"x@127.0.0.1:40000"
    assert sent.get(b"proxy-authorization") == b'Digest uri="sip:1000@127.0.0.1:6000", response="ab"'


def test_the_way_back_restores_what_the_phone_knows() -> None:
    there = parse(INVITE)
    exchange_addresses(there, Exchange(PHONE, INNER), Exchange(OWN, SERVER))
    back = parse(there.pack())
    exchange_addresses(back, Exchange(INNER, PHONE), Exchange(SERVER, OWN))
    assert back.pack() == parse(INVITE).pack()


def test_the_server_may_leave_its_default_port_out() -> None:
    ok = parse(
        message(
            "SIP/2.0 200 OK",
            "Via: SIP/2.0/UDP 127.0.0.1:50001;rport=50001;received=192.0.2.7;branch=z9hG4bKx",
            "Record-Route: <sip:192.0.2.7;lr>",
            "From: <sip:phone@127.0.0.1:50001>;tag=a",
            "To: <sip:1000@192.0.2.70>;tag=b",
            "Call-ID: x",
            "CSeq: 1 INVITE",
            "Contact: <sip:gw@192.0.2.7:50600>",
        )
    )
    exchange_addresses(ok, Exchange(INNER, PHONE), Exchange(SERVER, OWN))
    assert ok.get(b"record-route") == b"<sip:127.0.0.1:6000;lr>"
    assert ok.get(b"via") == b"SIP/2.0/UDP 127.0.0.1:40000;rport=40000;received=192.0.2.7;branch=z9hG4bKx"
    assert ok.get(b"to") == b"<sip:1000@192.0.2.70>;tag=b", "another host"
    assert ok.get(b"contact") == b"<sip:gw@192.0.2.7:50600>", "another port"
    assert ok.start == b"SIP/2.0 200 OK"


def sdp(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def test_audio_is_pointed_at_us_and_its_place_is_told() -> None:
    offer = sdp(
        "v=0", "o=- 1 1 IN IP4 10.0.0.9", "s=-", "c=IN IP4 10.0.0.9", "t=0 0",
        "m=audio 4000 RTP/AVP 0 101", "a=rtcp:4001 IN IP4 10.0.0.9", "a=rtpmap:0 PCMU/8000",
    )  # fmt: skip
    changed, far = redirect_audio(offer, "127.0.0.1", 30000)
    assert far == FarMedia(("10.0.0.9", 4000), ("10.0.0.9", 4001))
    assert changed == sdp(
        "v=0", "o=- 1 1 IN IP4 10.0.0.9", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        "m=audio 30000 RTP/AVP 0 101", "a=rtcp:30001 IN IP4 127.0.0.1", "a=rtpmap:0 PCMU/8000",
    )  # fmt: skip


def test_an_address_of_the_stream_itself_counts_before_that_of_the_session() -> None:
    offer = sdp(
        "v=0", "c=IN IP4 10.0.0.1", "m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0", "c=IN IP4 10.0.0.2",
        "a=rtcp:4009", "m=audio 4100 RTP/AVP 8", "c=IN IP4 10.0.0.3",
    )  # fmt: skip
    changed, far = redirect_audio(offer, "127.0.0.1", 30000)
    assert far == FarMedia(("10.0.0.2", 4000), ("10.0.0.2", 4009))
    assert changed == sdp(
        "v=0", "c=IN IP4 127.0.0.1", "m=video 0 RTP/AVP 31", "m=audio 30000 RTP/AVP 0", "c=IN IP4 127.0.0.1",
        "a=rtcp:30001 IN IP4 127.0.0.1", "m=audio 4100 RTP/AVP 8", "c=IN IP4 10.0.0.3",
    )  # fmt: skip


@pytest.mark.parametrize("line", ["m=audio 0 RTP/AVP 0", "m=video 4000 RTP/AVP 31", "a=x"])
def test_without_audio_nothing_changes(line: str) -> None:
    description = sdp("v=0", "c=IN IP4 10.0.0.1", line)
    assert redirect_audio(description, "127.0.0.1", 30000) == (description, None)


def test_hold_in_the_old_way_stays_hold() -> None:
    changed, far = redirect_audio(
        sdp("v=0", "c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0"), "127.0.0.1", 30000
    )
    assert far is None
    assert changed == sdp("v=0", "c=IN IP4 0.0.0.0", "m=audio 30000 RTP/AVP 0")
