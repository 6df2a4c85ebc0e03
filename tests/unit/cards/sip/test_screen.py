"""Which requests PJSIP may see."""

import pytest

from gateway.cards.sip.screen import fault, line_end_missing, new_call


def ack(*headers: str, method: str = "ACK", end: str = "\r\n") -> bytes:
    lines = (f"{method} sip:gw@127.0.0.1 SIP/2.0", "From: <sip:a@h>;tag=1", *headers, "CSeq: 1 ACK", "", "")
    return end.join(lines).encode()


@pytest.mark.parametrize(
    "to",
    [
        "To: <sip:gw@h>;tag=x",
        "t: <sip:gw@h>;tag=x",
        "TO : <sip:gw@h> ; TAG = x",
        "To: <sip:gw@h>;user=phone;tag=x",
        "To: <sip:gw@h>\r\n ;tag=x",
        "To: sip:gw@h;tag=x",
    ],
)
def test_an_ack_with_a_to_tag_passes(to: str) -> None:
    assert not fault(ack(to))
    assert not fault(ack(to).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize(
    "to",
    ["To: <sip:gw@h>", "To: <sip:gw@h>;tag=", "To: <sip:gw@h>;tag", "X-To: <sip:gw@h>;tag=x", "Subject: t"],
)
def test_an_ack_without_is_kept_away(to: str) -> None:
    assert fault(ack(to))
    assert fault(b"\r\n\r\n" + ack(to))
    assert fault(ack(to, method="ack"))


def test_a_tag_in_the_body_does_not_count() -> None:
    assert fault(ack("To: <sip:gw@h>") + b"To: <sip:x>;tag=y\r\n")


def test_other_requests_are_not_looked_at() -> None:
    assert not fault(ack("To: <sip:gw@h>", method="INVITE"))
    assert not fault(b"")


def invite(*sdp: str, end: str = "\r\n") -> bytes:
    head = ("INVITE sip:gw@127.0.0.1 SIP/2.0", "To: <sip:gw@h>", "Content-Type: application/sdp", "")
    return end.join((*head, *sdp, "")).encode()


AUDIO = "m=audio 4000 RTP/AVP 0"
VIDEO = "m=video 0 RTP/AVP 96"
ADDRESS = "c=IN IP4 192.0.2.1"


@pytest.mark.parametrize(
    "sdp",
    [
        ("v=0", ADDRESS, "t=0 0", AUDIO, VIDEO),
        ("v=0", AUDIO, ADDRESS, "a=sendrecv", VIDEO, ADDRESS),
        ("v=0", AUDIO, ADDRESS),
        ("v=0",),
        ("v=0", ADDRESS, AUDIO, "a=fmtp:96 " + "x" * 400),
    ],
)
def test_sdp_as_it_should_be(sdp: tuple[str, ...]) -> None:
    assert fault(invite(*sdp)) is None
    assert fault(invite(*sdp, end="\n")) is None


@pytest.mark.parametrize(
    "sdp",
    [
        ("v=0", AUDIO),
        ("v=0", AUDIO, ADDRESS, VIDEO),
        ("v=0", VIDEO, AUDIO, ADDRESS),
        ("v=0", "c=IN IP4 " + "a" * 254, AUDIO),
        ("v=0", ADDRESS, AUDIO, "a=rtcp:5 IN IP4 " + "a" * 254),
    ],
)
def test_sdp_that_pjsip_stumbles_over(sdp: tuple[str, ...]) -> None:
    assert fault(invite(*sdp))
    assert fault(invite(*sdp).replace(b"INVITE sip:gw@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK"))


@pytest.mark.parametrize(
    ("body", "missing"),
    [(b"Signal=5", True), (b"Signal=5\n", True), (b"Signal=5\r\n", False), (b"", False)],
)
def test_an_info_body_without_crlf(body: bytes, missing: bool) -> None:
    head = b"INFO sip:gw@h SIP/2.0\r\nTo: <sip:gw@h>;tag=x\r\n\r\n"
    assert line_end_missing(head + body) is missing
    assert not line_end_missing(head.replace(b"INFO", b"MESSAGE") + body)


def test_an_ipv6_connection_address_is_kept_away() -> None:
    lines = (b"v=0", b"o=- 1 1 IN IP6 ::1", b"s=-", b"%s", b"t=0 0", b"m=audio 9 RTP/AVP 0")
    packet = b"INVITE sip:a SIP/2.0\r\n\r\n" + b"\r\n".join(lines) + b"\r\n"
    assert fault(packet % b"c=IN IP6 ::1") == "IPv6 address"
    assert fault(packet % b"c=IN IP4 127.0.0.1") is None


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_an_invite_without_a_to_tag_begins_a_call(end: str) -> None:
    def new(call: str, *via: str, method: str = "INVITE") -> bytes | None:
        return new_call(ack("To: <sip:gw@h>", call, *via, method=method, end=end))

    first = new(
        "Call-ID: a@b", "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport", "Via: SIP/2.0/UDP i;branch=z9hG4bK2"
    )
    assert first == b"a@b z9hG4bK1"
    assert new("i: a@b", "v: SIP/2.0/UDP h ; branch = z9hG4bK1", method="invite") == first
    assert new("Call-ID: a@b", "Via: SIP/2.0/UDP h;branch=z9hG4bK3") != first, "another with the same Call-ID"
    assert new("Call-ID: a@b") == b"a@b "
    assert new_call(ack("To: <sip:gw@h>;tag=1", "Call-ID: a@b", method="INVITE", end=end)) is None
    assert new_call(ack("To: <sip:gw@h>", "Call-ID: a@b", method="OPTIONS", end=end)) is None
    assert new_call(ack("To: <sip:gw@h>", method="INVITE", end=end)) is None
    assert new_call(b"") is None
