"""SIP messages as the bench's callers read and write them (RFC 3261). Pure: bytes in, bytes out.

The callers are a measuring instrument, so they share no parser with the gateway they measure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_COMPACT = {
    "i": "call-id",
    "m": "contact",
    "f": "from",
    "t": "to",
    "v": "via",
    "l": "content-length",
    "c": "content-type",
}
"""RFC 3261 §7.3.3."""

_FOLD = re.compile(r"\r?\n[ \t]+")
_TAG = re.compile(r";\s*tag\s*=\s*([^;>\s]+)", re.IGNORECASE)
_ADDRESS = re.compile(r"<([^>]+)>")
_LIST_COMMA = re.compile(r",(?=(?:[^<>]*<[^<>]*>)*[^<>]*$)")
_CONNECTION = re.compile(r"^c=IN IP4 (\S+)", re.MULTILINE)
_AUDIO = re.compile(r"^m=audio (\d+) \S+ (.+?)\s*$", re.MULTILINE)

PCMU = 0
"""RTP payload type of G.711 µ-law (RFC 3551)."""


class SipSyntaxError(ValueError):
    """The bytes are not a SIP message, or its SDP is not an answer to our offer."""


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A parsed request or response."""

    start_line: str
    """First line, without its end."""
    headers: tuple[tuple[str, str], ...]
    """Lower-case long names and values, in order; folded lines are joined."""
    body: str
    """Everything behind the empty line."""

    @property
    def status(self) -> int | None:
        """Status code of a response, None for a request."""
        if not self.start_line.startswith("SIP/2.0 "):
            return None
        return int(self.start_line[8:11])

    @property
    def method(self) -> str:
        """Method of a request, or of the request that a response answers (from CSeq)."""
        if self.status is None:
            return self.start_line.split(" ", 1)[0]
        return self.first("cseq").rpartition(" ")[2]

    def first(self, name: str) -> str:
        """Value of the first such header, empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a header that may be repeated or joined by commas, in order."""
        joined = [value for key, value in self.headers if key == name]
        return [part.strip() for value in joined for part in _LIST_COMMA.split(value)]

    @property
    def to_tag(self) -> str:
        """Tag of the To header, empty if it has none."""
        match = _TAG.search(self.first("to"))
        return match.group(1) if match else ""

    @property
    def contact_uri(self) -> str:
        """URI of the first Contact, empty if there is none."""
        match = _ADDRESS.search(self.first("contact"))
        return match.group(1) if match else self.first("contact").partition(";")[0]


def parse_message(data: bytes) -> SipMessage:
    """Read one datagram. Raises `SipSyntaxError`."""
    text = data.decode("utf-8", "replace").lstrip("\r\n")
    head, _, body = text.partition("\r\n\r\n")
    start, *lines = _FOLD.sub(" ", head).split("\r\n")
    is_response = re.fullmatch(r"SIP/2\.0 [1-6]\d\d( .*)?", start) is not None
    if not is_response and re.fullmatch(r"[A-Z]+ \S+ SIP/2\.0", start) is None:
        raise SipSyntaxError("first line is neither a request nor a response")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise SipSyntaxError("header without a colon")
        key = name.strip().lower()
        headers.append((_COMPACT.get(key, key), value.strip()))
    message = SipMessage(start, tuple(headers), body)
    missing = [name for name in ("via", "from", "to", "call-id", "cseq") if not message.first(name)]
    if missing:
        raise SipSyntaxError(f"no {', '.join(missing)} header")
    return message


def build_message(start_line: str, headers: Sequence[tuple[str, str]], body: str = "") -> bytes:
    """Write one message; Content-Type (for a body) and Content-Length are added."""
    lines = [start_line, *(f"{name}: {value}" for name, value in headers)]
    encoded = body.encode()
    if encoded:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(encoded)}")
    return "\r\n".join((*lines, "", "")).encode() + encoded


def build_response(request: SipMessage, status: int, reason: str, to_tag: str = "") -> bytes:
    """Answer a request we received (RFC 3261 §8.2.6): its Vias, From, To, Call-ID and CSeq."""
    to = request.first("to")
    if to_tag and not request.to_tag:
        to += f";tag={to_tag}"
    headers = [("Via", via) for via in request.all("via")]
    headers += [("From", request.first("from")), ("To", to)]
    headers += [("Call-ID", request.first("call-id")), ("CSeq", request.first("cseq"))]
    return build_message(f"SIP/2.0 {status} {reason}", headers)


def build_offer(host: str, port: int) -> str:
    """SDP that offers G.711 µ-law in 20 ms packets and telephone-event (RFC 3264, 4733)."""
    return "\r\n".join(
        (
            "v=0",
            f"o=bench 1 1 IN IP4 {host}",
            "s=-",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {port} RTP/AVP {PCMU} 101",
            f"a=rtpmap:{PCMU} PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=ptime:20",
            "a=sendrecv",
            "",
        )
    )


def parse_answer(sdp: str) -> tuple[str, int]:
    """Address and port that the far end wants µ-law RTP at. Raises `SipSyntaxError`."""
    text = sdp.replace("\r\n", "\n")
    connection, audio = _CONNECTION.search(text), _AUDIO.search(text)
    if connection is None or audio is None:
        raise SipSyntaxError("SDP answer without an IPv4 audio stream")
    port = int(audio.group(1))
    if not 0 < port < 65536 or audio.group(2).split()[0] != str(PCMU):
        raise SipSyntaxError("SDP answer does not take PCMU")
    return connection.group(1), port
