"""Signatures by which a receiver knows who speaks and that nothing was changed. Pure.

Standard Webhooks 1.0, symmetric signatures (v1).
"""

import hashlib
import hmac
from base64 import b64encode


def signed_headers(key: bytes, message_id: str, sent_at_s: float, body: bytes) -> dict[str, str]:
    """The three headers of one attempt; `sent_at_s`: Unix time, which receivers allow to be 5 minutes off."""
    timestamp = str(int(sent_at_s))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    mac = b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{mac}"}
