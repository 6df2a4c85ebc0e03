"""What the core is told of an INVITE: its request URI and headers, as received. Pure."""

import math
from dataclasses import dataclass

from gateway.errors import RemoteError
from gateway.wire.edge import PEER_HEADER, RECEIVED_HEADER

_COMPACT = {"f": "from", "t": "to", "i": "call-id"}
_OWN = {PEER_HEADER.lower(), RECEIVED_HEADER.lower()}


class InviteError(RemoteError):
    """The text is not a SIP request."""


@dataclass(frozen=True, slots=True)
class Invite:
    """The parts of an INVITE that concern the core."""

    request_uri: str
    sip_call_id: str
    from_header: str
    to_header: str
    headers: tuple[tuple[str, str], ...]
    """All others in order, without those the edge added for us."""
    peer: str
    """As the edge saw it; empty if it did not say."""
    received_at_s: float | None
    """As the edge saw it."""


def parse_invite(message: str) -> Invite:
    """Split a request as PJSIP hands it over (undecodable bytes as lone surrogates).

    PJSIP has parsed it before, so this is lenient: folded lines are joined (RFC 3261 §7.3.1), compact
    names are known (§7.3.3), text is UTF-8 or else Latin-1. Raises `InviteError`.
    """
    raw = message.encode("utf-8", "surrogateescape").lstrip(b"\r\n")
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    for fold in (b"\n ", b"\n\t"):
        head = head.replace(fold, b" ")
    first, *lines = head.split(b"\n")
    parts = _text(first).split()
    if len(parts) != 3 or not parts[2].startswith("SIP/"):
        raise InviteError("no request line")
    known: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = (part.strip() for part in _text(line).partition(":"))
        if not colon or not name:
            continue
        key = _COMPACT.get(name.lower(), name.lower())
        if key in ("from", "to", "call-id") or key in _OWN:
            known.setdefault(key, value)
        else:
            others.append((name, value))
    return Invite(
        request_uri=parts[1],
        sip_call_id=known.get("call-id", ""),
        from_header=known.get("from", ""),
        to_header=known.get("to", ""),
        headers=tuple(others),
        peer=known.get(PEER_HEADER.lower(), ""),
        received_at_s=_seconds(known.get(RECEIVED_HEADER.lower(), "")),
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
