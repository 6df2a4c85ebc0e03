"""Reading an INVITE as PJSIP hands it over."""

import pytest

from gateway.cards.sip.invite import InviteError, parse_invite

LINES = (
    "INVITE sip:demo@192.0.2.1 SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKa",
    "Via: SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bKb",
    'From: "Ann" <sip:ann@example.net>;tag=1',
    "To: <sip:demo@192.0.2.1>",
    "Call-ID: abc@192.0.2.7",
    "X-Gateway-Peer: udp:192.0.2.7:5060",
    "X-Gateway-Received: 12.25",
    "P-Asserted-Identity: <tel:+15550100>",
)


def text(*lines: str, end: str = "\r\n") -> str:
    return end.join((*lines, "", "v=0", "From: not a header"))


def test_the_parts_of_an_invite() -> None:
    invite = parse_invite(text(*LINES))
    assert invite.request_uri == "sip:demo@192.0.2.1"
    assert invite.from_header == '"Ann" <sip:ann@example.net>;tag=1'
    assert invite.to_header == "<sip:demo@192.0.2.1>"
    assert invite.sip_call_id == "abc@192.0.2.7"
    assert invite.peer == "udp:192.0.2.7:5060"
    assert invite.received_at_s == 12.25
    assert invite.headers == (
        ("Via", "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKa"),
        ("Via", "SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bKb"),
        ("P-Asserted-Identity", "<tel:+15550100>"),
    )


def test_compact_names_folding_odd_case_and_bare_line_feeds() -> None:
    invite = parse_invite(
        text(
            "INVITE  sip:x@h  SIP/2.0   ",
            "f: <sip:a@h>",
            " ;tag=1",
            "T : <sip:b@h>",
            "cAlL-iD: z",
            "Subject: one",
            "\ttwo",
            end="\n",
        )
    )
    assert (invite.from_header, invite.to_header, invite.sip_call_id) == (
        "<sip:a@h> ;tag=1",
        "<sip:b@h>",
        "z",
    )
    assert invite.headers == (("Subject", "one two"),)


def test_bytes_that_are_no_utf8_are_latin1() -> None:
    raw = text(LINES[0], "Subject: café").encode("latin-1")
    invite = parse_invite(raw.decode("utf-8", "surrogateescape"))
    assert invite.headers == (("Subject", "café"),)
    invite.headers[0][1].encode("utf-8")


def test_the_first_of_a_doubled_header_counts() -> None:
    assert parse_invite(text(LINES[0], "Call-ID: one", "i: two")).sip_call_id == "one"


@pytest.mark.parametrize("value", ["", "nan", "inf", "-1", "soon"])
def test_a_strange_time_of_arrival_is_none(value: str) -> None:
    assert parse_invite(text(LINES[0], f"X-Gateway-Received: {value}")).received_at_s is None


@pytest.mark.parametrize("first", ["", "INVITE", "INVITE sip:x", "SIP/2.0 200 OK", "INVITE sip:a b SIP/2.0"])
def test_what_is_no_request(first: str) -> None:
    with pytest.raises(InviteError):
        parse_invite(text(first, *LINES[1:]))
