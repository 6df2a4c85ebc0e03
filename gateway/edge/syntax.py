"""The grammar of the header fields the edge reads: addresses, parameters, Via, URIs. Pure.

Works on bytes as received; nothing is decoded, unescaped or validated beyond what is needed.
"""

import re
from functools import lru_cache
from typing import NamedTuple

SIP_PORT = 5060

_VIA = re.compile(
    rb"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9]+)\s+(\[[^\]]+\]|[^\s;:,\[\]]+)\s*(?::\s*(\d{1,5}))?\s*((?:;.*)?)$",
    re.IGNORECASE | re.DOTALL,
)
_URI = re.compile(rb"(sips?):(?:[^@]*@)?(\[[^\]]+\]|[^;:?>\s@]+)(?::(\d{1,5}))?(;[^?>]*)?", re.IGNORECASE)
_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):")
_QUOTED = re.compile(rb'\s*"(?:[^"\\]|\\.)*"', re.DOTALL)


class Via(NamedTuple):
    """One Via value (RFC 3261 §20.42)."""

    transport: bytes
    host: bytes
    port: int
    """SIP_PORT when absent."""
    params: bytes
    """Everything from the first semicolon on."""


class SipUri(NamedTuple):
    """Where a sip or sips URI points (RFC 3261 §19.1)."""

    scheme: bytes
    host: str
    port: int
    """SIP_PORT when absent."""
    params: bytes


@lru_cache(maxsize=32)
def _param_pattern(name: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb";\s*" + re.escape(name) + rb'(?:\s*=\s*("[^"]*"|[^;,>\s"]*))?\s*(?=[;,>?]|$)', re.IGNORECASE
    )


def param(params: bytes, name: bytes) -> bytes | None:
    """Value of `;name=value`, b"" for a bare `;name`, None when absent."""
    if b";" not in params:
        return None
    found = _param_pattern(name).search(params)
    return None if found is None else found[1] or b""


def without_param(params: bytes, name: bytes) -> bytes:
    """`params` with every `;name` and `;name=value` taken out."""
    return _param_pattern(name).sub(b"", params)


def address_uri(value: bytes) -> bytes:
    """The URI of a name-addr or addr-spec (RFC 3261 §20.10); header parameters are left out."""
    start = _after_display_name(value)
    left = value.find(b"<", start)
    if left >= 0:
        right = value.find(b">", left)
        return value[left + 1 : right if right >= 0 else len(value)].strip()
    return value.partition(b";")[0].strip()


def address_params(value: bytes) -> bytes:
    """The header parameters of a name-addr or addr-spec: what follows the URI."""
    start = _after_display_name(value)
    left = value.find(b"<", start)
    if left >= 0:
        right = value.find(b">", left)
        return value[right + 1 :] if right >= 0 else b""
    _, semicolon, rest = value.partition(b";")
    return semicolon + rest


def tag_of(value: bytes) -> bytes:
    """The tag of a From or To value, b"" when there is none."""
    return param(address_params(value), b"tag") or b""


def parse_via(value: bytes) -> Via | None:
    """None when the value is not a Via this program can answer to."""
    found = _VIA.match(value)
    if found is None:
        return None
    port = int(found[3]) if found[3] else SIP_PORT
    return Via(found[1].upper(), found[2], port, found[4]) if 0 < port < 65536 else None


def parse_uri(uri: bytes) -> SipUri | None:
    """None when it is not a sip or sips URI with a host."""
    found = _URI.match(uri)
    if found is None:
        return None
    port = int(found[3]) if found[3] else SIP_PORT
    if not 0 < port < 65536:
        return None
    return SipUri(found[1].lower(), found[2].decode("latin-1").lower(), port, found[4] or b"")


def uri_scheme(uri: bytes) -> bytes:
    """Scheme in lower case, b"" when there is none."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else b""


def split_values(value: bytes) -> list[bytes]:
    """The values of a comma-joined header; commas in quotes and in <> do not count (RFC 3261 §7.3.1)."""
    values: list[bytes] = []
    start = depth = 0
    quoted = escaped = False
    for index, byte in enumerate(value):
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte == 0x3C:
            depth = 1
        elif byte == 0x3E:
            depth = 0
        elif byte == 0x2C and not depth:
            values.append(value[start:index].strip())
            start = index + 1
    values.append(value[start:].strip())
    return [each for each in values if each]


def _after_display_name(value: bytes) -> int:
    quoted = _QUOTED.match(value)
    return quoted.end() if quoted else 0
