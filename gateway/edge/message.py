"""A SIP message as bytes: parse, change, serialise, without touching what is not understood.

Headers keep their order, spelling and content; the only normalisations are unfolding, CRLF line
ends, one Via/Route/Record-Route value per line, compact and odd-cased names being recognised, and
a body cut to its Content-Length. A lone CR or a NUL in the header section is refused: the native
parser behind us would take it for a line end and see other headers than we do.
"""

import re
from typing import Final

from gateway.edge.syntax import split_values
from gateway.errors import RemoteError

SIP_VERSION: Final = b"SIP/2.0"
MAX_FIELDS: Final = 256
MAX_CALL_ID_BYTES: Final = 256

_COMPACT: Final = {
    b"a": b"accept-contact",
    b"b": b"referred-by",
    b"c": b"content-type",
    b"e": b"content-encoding",
    b"f": b"from",
    b"i": b"call-id",
    b"k": b"supported",
    b"l": b"content-length",
    b"m": b"contact",
    b"o": b"event",
    b"r": b"refer-to",
    b"s": b"subject",
    b"t": b"to",
    b"u": b"allow-events",
    b"v": b"via",
    b"x": b"session-expires",
}
_USUAL_NAMES: Final = (
    b"Via From To Call-ID CSeq Contact Max-Forwards Content-Type Content-Length Route Record-Route "
    b"User-Agent Server Allow Supported Require Accept Expires Date Session-Expires Min-SE Reason "
    b"P-Asserted-Identity Privacy Authorization Proxy-Authorization Retry-After Allow-Events"
).split()
_KEYS: Final = {name: name.lower() for name in _USUAL_NAMES}
_LISTS: Final = frozenset((b"via", b"route", b"record-route"))
_SINGLE: Final = frozenset((b"call-id", b"from", b"to", b"cseq", b"max-forwards", b"content-length"))
_MANDATORY: Final = (b"via", b"from", b"to", b"call-id", b"cseq")

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"[ \t]*\r\n[ \t]+")
_TOKEN = re.compile(rb"[A-Za-z0-9.!%*_+`'~-]+$")
_CSEQ = re.compile(rb"(\d{1,10})[ \t]+([A-Za-z0-9.!%*_+`'~-]+)$")
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: |$)", re.IGNORECASE)
_WORD = re.compile(rb"[\x21-\x7e]+$")

Field = tuple[bytes, bytes, bytes]
"""(canonical lower-case name, name as spelled, value)."""


class MessageError(RemoteError):
    """The only error that parsing raises."""

    def __init__(self, problem: str, answerable: "SipMessage | None" = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.answerable = answerable
        """The request as far as it was understood, if it has all that a response needs."""


class SipMessage:
    """A request or response under way. Mutable: a proxy's work is to change it."""

    __slots__ = (
        "body",
        "call_id",
        "cseq",
        "cseq_method",
        "fields",
        "method",
        "start",
        "status",
        "uri",
        "version",
    )

    def __init__(self, start: bytes, fields: list[Field], body: bytes) -> None:
        self.start = start
        """Request line or status line."""
        self.fields = fields
        self.body = body
        self.method = b""
        """Empty for a response."""
        self.uri = b""
        self.version = SIP_VERSION
        self.status = 0
        """0 for a request."""
        self.call_id = b""
        self.cseq = 0
        self.cseq_method = b""

    def get(self, key: bytes) -> bytes | None:
        """First value of a header."""
        for name, _, value in self.fields:
            if name == key:
                return value
        return None

    def all(self, key: bytes) -> list[bytes]:
        """Every value of a header, in order."""
        return [value for name, _, value in self.fields if name == key]

    def index(self, key: bytes) -> int | None:
        """Position of the first such header."""
        for position, field in enumerate(self.fields):
            if field[0] == key:
                return position
        return None

    def insert(self, position: int, name: bytes, value: bytes) -> None:
        """Put a header at `position`."""
        self.fields.insert(position, (_KEYS.get(name) or name.lower(), name, value))

    def replace(self, position: int, value: bytes) -> None:
        """Give the header at `position` another value."""
        key, name, _ = self.fields[position]
        self.fields[position] = (key, name, value)

    def remove(self, *keys: bytes) -> None:
        """Take every header of these names out."""
        self.fields = [field for field in self.fields if field[0] not in keys]

    def set_body(self, body: bytes) -> None:
        """Another body; Content-Length follows, and is added when missing."""
        self.body = body
        position = self.index(b"content-length")
        if position is None:
            self.insert(len(self.fields), b"Content-Length", b"%d" % len(body))
        else:
            self.replace(position, b"%d" % len(body))

    def pack(self) -> bytes:
        """The message as it goes on the wire."""
        lines = [self.start]
        lines += [name + b": " + value for _, name, value in self.fields]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


def parse(data: bytes) -> SipMessage:
    """One whole message. Raises `MessageError` and nothing else."""
    head, body = _split(data)
    lines = head.split(b"\r\n")
    message = SipMessage(lines[0], [], body)
    problem = _read_fields(message, lines)
    problem = _read_start(message) or problem
    problem = _read_singles(message) or problem
    if problem:
        raise MessageError(problem, message if _answerable(message) else None)
    return message


def unfold(head: bytes) -> bytes:
    """A header section with CRLF line ends and no continuation lines (RFC 3261 §7.3.1)."""
    if head.count(b"\n") != head.count(b"\r\n"):
        head = head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if b"\r\n " in head or b"\r\n\t" in head:
        head = _FOLD.sub(b" ", head)
    return head


def _split(data: bytes) -> tuple[bytes, bytes]:
    data = data.lstrip(b"\r\n")
    head, blank, body = data.partition(b"\r\n\r\n")
    line_ends = head.count(b"\r\n")
    if not blank or head.count(b"\n") != line_ends:
        end = _HEAD_END.search(data)  # bare LFs: the slow way
        if end is None:
            raise MessageError("no end of the header section")
        head, body = data[: end.start()], data[end.end() :]
    head = unfold(head)
    if head.count(b"\r") != head.count(b"\r\n") or b"\0" in head:
        raise MessageError("a lone CR or a NUL in the header section")
    return head, body


def _key_of(name: bytes) -> tuple[bytes, bytes]:
    """(key, clean spelling) of a header name that is not one of the usual spellings; empty if none."""
    clean = name.strip()
    if not _TOKEN.match(clean):
        return b"", clean
    key = clean.lower()
    return _COMPACT.get(key, key), clean


def _read_fields(message: SipMessage, lines: list[bytes]) -> str:
    problem = ""
    fields = message.fields
    keys = _KEYS
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        key = keys.get(name)
        if key is None:
            key, name = _key_of(name)
        if not colon or not key:
            problem = "a header line without a name"
        elif key in _LISTS and b"," in value:
            fields += [(key, name, each) for each in split_values(value)]
        else:
            fields.append((key, name, value.strip(b" \t")))
    return "too many headers" if len(fields) > MAX_FIELDS else problem


def _read_start(message: SipMessage) -> str:
    status = _STATUS_LINE.match(message.start)
    if status:
        message.status = int(status[1])
        return ""
    parts = message.start.split(b" ")
    message.version = parts[-1].upper()
    if len(parts) < 3 or not message.version.startswith(b"SIP/") or not _TOKEN.match(parts[0]):
        raise MessageError("neither a request line nor a status line")
    message.method = parts[0]
    message.uri = b" ".join(parts[1:-1])
    if len(parts) != 3 or not _WORD.match(message.uri):
        return "a request line with more than three parts"
    if parts[-1] != message.version:
        message.start = b" ".join((message.method, message.uri, message.version))
    return ""


def _read_singles(message: SipMessage) -> str:
    seen: dict[bytes, bytes] = {}
    doubled = False
    for key, _, value in message.fields:
        if key not in _SINGLE:
            continue
        if key not in seen:
            seen[key] = value
        elif seen[key] == value:
            doubled = True
        else:
            return f"different values of {key.decode()}"
    if doubled:
        _drop_repeats(message)
    message.call_id = seen.get(b"call-id", b"")
    if not _WORD.match(message.call_id) or len(message.call_id) > MAX_CALL_ID_BYTES:
        return "no usable Call-ID"
    cseq = _CSEQ.match(seen.get(b"cseq", b""))
    if cseq is None:
        return "no usable CSeq"
    message.cseq, message.cseq_method = int(cseq[1]), cseq[2]
    if message.cseq >= 1 << 31:
        return "no usable CSeq"
    if message.method and message.method != message.cseq_method:
        return "the method of CSeq is another one"
    if b"from" not in seen or b"to" not in seen or message.index(b"via") is None:
        return "Via, From or To is missing"
    forwards = seen.get(b"max-forwards", b"0")
    if not forwards.isdigit() or len(forwards) > 3:
        return "Max-Forwards is not a number"
    return _cut_body(message, seen.get(b"content-length"))


def _drop_repeats(message: SipMessage) -> None:
    seen: set[bytes] = set()
    kept = []
    for field in message.fields:
        if field[0] not in seen:
            kept.append(field)
        if field[0] in _SINGLE:
            seen.add(field[0])
    message.fields = kept


def _cut_body(message: SipMessage, length: bytes | None) -> str:
    if length is None:
        return ""
    if not length.isdigit() or len(length) > 7:
        return "Content-Length is not a number"
    size = int(length)
    if size > len(message.body):
        return "the body is shorter than its Content-Length"
    message.body = message.body[:size]
    return ""


def _answerable(message: SipMessage) -> bool:
    return bool(message.method) and all(message.get(key) for key in _MANDATORY)
