"""The few things the core wants from SIP URIs (RFC 3261 §19.1); the edge and pjsip do the real parsing."""

import re
from urllib.parse import unquote

_USER = re.compile(r"sips?:([^@;?>\s]*)@", re.IGNORECASE)
_TEL = re.compile(r"tel:([^;?>\s]+)", re.IGNORECASE)


def user_of(text: str) -> str:
    """User part of a URI or of a From/To header value, unescaped; empty when there is none.

    A password or user parameters (`;phone-context=…`) are left out. A `tel:` URI gives its number.
    """
    match = _USER.search(text)
    if match is not None:
        return unquote(match[1].partition(":")[0])
    match = _TEL.search(text)
    return unquote(match[1]) if match is not None else ""
