"""Signatures, judged by the reference implementation and by OpenAI's client."""

import time
from base64 import b64encode

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.webhooks.signature import signed_headers

KEY = bytes(range(1, 33))
SECRET = "whsec_" + b64encode(KEY).decode()
BODY = '{"id":"evt_1","object":"event","type":"realtime.call.incoming","text":"ü"}'.encode()


def test_the_reference_implementation_accepts_it() -> None:
    headers = signed_headers(KEY, "evt_1", time.time(), BODY)
    assert Webhook(SECRET).verify(BODY, headers)["text"] == "ü"


@pytest.mark.parametrize(
    ("key", "message_id", "body"),
    [
        (KEY[::-1], "evt_1", BODY),
        (KEY, "evt_2", BODY),
        (KEY, "evt_1", BODY.replace(b"event", b"evEnt")),
    ],
)
def test_whatever_else_was_signed_is_refused(key: bytes, message_id: str, body: bytes) -> None:
    headers = signed_headers(key, message_id, time.time(), body) | {"webhook-id": "evt_1"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)


def test_the_moment_is_signed_too() -> None:
    now = time.time()
    headers = signed_headers(KEY, "evt_1", now - 60, BODY) | {"webhook-timestamp": str(int(now))}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)


def test_openais_client_accepts_it_and_nothing_else() -> None:
    webhooks = OpenAI(api_key="unused").webhooks
    headers = signed_headers(KEY, "evt_1", time.time(), BODY)
    webhooks.verify_signature(BODY, headers, secret=SECRET)
    with pytest.raises(InvalidWebhookSignatureError):
        webhooks.verify_signature(BODY + b" ", headers, secret=SECRET)
