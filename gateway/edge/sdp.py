"""The one thing the edge changes in a session description: the card's address. Pure."""

import re
from functools import lru_cache


@lru_cache(maxsize=8)
def _lines_with(address: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb"^((?:c=|o=|a=rtcp:)[^\r\n]*\bIN[ ]IP4[ ])" + re.escape(address) + rb"(?=[/ \t\r\n]|$)",
        re.MULTILINE,
    )


def replace_address(body: bytes, own: bytes, public: bytes) -> bytes:
    """`body` with `public` for `own` in c=, o= (RFC 8866 §5.2, §5.7) and a=rtcp: (RFC 3605) lines."""
    if own == public or own not in body:
        return body
    return _lines_with(own).sub(lambda line: line[1] + public, body)
