"""Which requests PJSIP may see."""

import pytest

from gateway.cards.sip.screen import admits


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
    assert admits(ack(to))
    assert admits(ack(to).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize(
    "to",
    ["To: <sip:gw@h>", "To: <sip:gw@h>;tag=", "To: <sip:gw@h>;tag", "X-To: <sip:gw@h>;tag=x", "Subject: t"],
)
def test_an_ack_without_is_kept_away(to: str) -> None:
    assert not admits(ack(to))
    assert not admits(b"\r\n\r\n" + ack(to))
    assert not admits(ack(to, method="ack"))


def test_a_tag_in_the_body_does_not_count() -> None:
    assert not admits(ack("To: <sip:gw@h>") + b"To: <sip:x>;tag=y\r\n")


def test_other_requests_are_not_looked_at() -> None:
    assert admits(ack("To: <sip:gw@h>", method="INVITE"))
    assert admits(b"")
