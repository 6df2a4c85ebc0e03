"""What the gateway tells a bot for Media Streams beside the stream itself."""

import pytest

from gateway.backends.twilio_media_streams import filled, signature


def test_the_signature_is_twilios() -> None:
    # HMAC-SHA1 of the URL under the token, as `openssl dgst -sha1 -hmac 12345 -binary | base64` gives it.
    assert signature("wss://bot.example/ws", "12345") == "ZP1CdL+sV2pQZPttopnfF5CMYMM="


@pytest.mark.parametrize(
    ("text", "value"),
    [("{from}", "5551234"), ("tel:{from};x", "tel:5551234;x"), ("{nothing}", ""), ("{ no }", "{ no }")],
)
def test_parameters_are_filled_in(text: str, value: str) -> None:
    assert filled({"p": text}, {"from": "5551234"}) == {"p": value}
