"""Numbers out of SIP URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sip_uri import user_of


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("sip:200@gw.example.com", "200"),
        ("SIP:Alice@Example.com", "Alice"),
        ("sips:alice@example.com:5061;transport=tls", "alice"),
        ('"Anna B." <sip:+431234@example.com;user=phone>;tag=x', "+431234"),
        ("sip:alice:secret@example.com", "alice"),
        ("sip:+431234;phone-context=example.com@gw", "+431234"),
        ("sip:j%40s0n@example.com", "j@s0n"),
        ("sip:%61lice@example.com", "alice"),
        ("tel:+43-1-234", "+43-1-234"),
        ("<tel:7042;phone-context=example.com>;tag=1", "7042"),
        ("sip:example.com", ""),
        ("sip:example.com:5060;transport=udp", ""),
        ('"sip:fake@evil" <sip:real@example.com>', "real"),
        ("<sip:example.com>;note=a@b", ""),
        ('"<sip:fake@evil>" <sip:real@example.com>', "real"),
        ("<sip:real@example.com", "real"),
        ("tel:7042@example.com", "7042"),
        ("mailto:a@b", ""),
        ("sip:100%@example.com", "100%"),
        ("", ""),
        ("*", ""),
    ],
)
def test_user(text: str, user: str) -> None:
    assert user_of(text) == user


@given(st.text())
def test_any_text_has_a_user_or_none(text: str) -> None:
    assert "@" not in user_of("sip:" + text.replace("%", ""))
