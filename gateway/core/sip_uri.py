"""The few things the core wants from SIP URIs (RFC 3261 §19.1); the edge and pjsip do the real parsing."""

import re
from urllib.parse import unquote

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_IN_BRACKETS = re.compile(r"<([^>]*)")


def user_of(text: str) -> str:
    """User part of a URI or of a From/To header value, unescaped; empty when there is none.

    A password or user parameters (`;phone-context=…`) are left out. A `tel:` URI gives its number.
    """
    text = _QUOTED.sub("", text)
    bracketed = _IN_BRACKETS.search(text)
    uri = bracketed[1] if bracketed is not None else text
    scheme, _, rest = uri.strip().partition(":")
    user, at, _ = rest.partition("@")
    scheme = scheme.lower()
    if scheme != "tel" and not (scheme in ("sip", "sips") and at):
        return ""
    return unquote(user.partition(";")[0].partition(":")[0])
