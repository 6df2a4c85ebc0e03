"""SIP messages on their way through an impairer: addresses exchanged, SDP pointed at our RTP ports. Pure.

Between phone and server every address that the one would send to is replaced by the impairer's own, as an
application-level gateway does: signalling keeps crossing it (in-dialog requests too), and so does RTP.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.edge.message import SipMessage
from gateway.impair.port import Address

_SIP_PORT: Final = 5060
_UNTOUCHED: Final = frozenset((b"call-id", b"authorization", b"proxy-authorization", b"content-length"))
"""Digests cover the URI that they name; the Call-ID is the name of the call on both sides."""

_CONNECTION = re.compile(rb"^c=IN IP4 ([0-9.]+)", re.MULTILINE)
_MEDIA = re.compile(rb"^m=([a-z]+) (\d{1,5})", re.MULTILINE)
_RTCP = re.compile(rb"^a=rtcp:(\d{1,5})(?: IN IP4 ([0-9.]+))?[^\r\n]*", re.MULTILINE)
_NOBODY: Final = "0.0.0.0"
"""An old way to say hold (RFC 2543)."""


class Exchange:
    """Replaces one address by another wherever a message names it."""

    def __init__(self, old: Address, new: Address) -> None:
        host, port = re.escape(old[0].encode()), old[1]
        # The default port may be left out; a bare host after "received=" says nothing about a port.
        named = rb"(?::%d(?!\d))" % port
        if port == _SIP_PORT:
            named = rb"(?:" + named + rb"|(?![\d.:]))"
        self._named = re.compile(rb"(?<![\d.])(?<!received=)" + host + named)
        self._rport = re.compile(rb"\brport=%d(?!\d)" % port)
        self._new_named = b"%s:%d" % (new[0].encode(), new[1])
        self._new_rport = b"rport=%d" % new[1]

    def apply(self, text: bytes) -> bytes:
        """The text with every mention replaced."""
        return self._rport.sub(self._new_rport, self._named.sub(self._new_named, text))


def exchange_addresses(message: SipMessage, *exchanges: Exchange) -> None:
    """In the request line and in all headers that name addresses."""
    for exchange in exchanges:
        if message.method:
            message.start = exchange.apply(message.start)
        message.fields = [
            (key, name, value if key in _UNTOUCHED else exchange.apply(value))
            for key, name, value in message.fields
        ]


@dataclass(frozen=True, slots=True)
class FarMedia:
    """Where one side wants its packets."""

    rtp: Address
    rtcp: Address


def redirect_audio(sdp: bytes, host: str, port: int) -> tuple[bytes, FarMedia | None]:
    """The description with its first audio stream at `host:port`, RTCP on the port above (RFC 3550 §11).

    Also returns where that stream was wanted; None without one, with port 0 or with an address that
    nobody has. Sections of other media keep their ports.
    """
    media = list(_MEDIA.finditer(sdp))
    index = next((i for i, each in enumerate(media) if each[1] == b"audio" and int(each[2])), None)
    if index is None:
        return sdp, None
    begin = media[index].start()
    end = media[index + 1].start() if index + 1 < len(media) else len(sdp)
    session, section = sdp[: media[0].start()], sdp[begin:end]
    named = _CONNECTION.search(section) or _CONNECTION.search(session)
    far = _far(section, named[1].decode(), int(media[index][2])) if named else None
    line, own = media[index], host.encode()
    section = b"m=audio %d" % port + section[line.end() - line.start() :]
    section = _RTCP.sub(b"a=rtcp:%d IN IP4 %s" % (port + 1, own), section)
    if far is not None:
        section = _CONNECTION.sub(b"c=IN IP4 " + own, section)
        session = _CONNECTION.sub(b"c=IN IP4 " + own, session)
    return session + sdp[media[0].start() : begin] + section + sdp[end:], far


def _far(section: bytes, host: str, port: int) -> FarMedia | None:
    if host == _NOBODY:
        return None
    rtcp = _RTCP.search(section)
    if rtcp is None:
        return FarMedia((host, port), (host, port + 1))
    return FarMedia((host, port), (rtcp[2].decode() if rtcp[2] else host, int(rtcp[1])))
