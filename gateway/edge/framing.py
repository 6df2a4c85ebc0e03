"""Cuts a TCP byte stream into SIP messages (RFC 3261 §18.3, keep-alives RFC 5626 §4.4.1). Pure."""

import re
from typing import Final, NamedTuple

from gateway.edge.message import unfold
from gateway.errors import RemoteError

MAX_STREAM_MESSAGE_BYTES: Final = 65535

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_PING = b"\r\n\r\n"
_LONGEST_HEAD_END = 4


class StreamError(RemoteError):
    """The stream can't be followed any further; answer `head` if it is there, then close."""

    def __init__(self, problem: str, head: bytes = b"") -> None:
        super().__init__(problem)
        self.problem = problem
        self.head = head
        """Header section (with its blank line) of the message that is too long."""


class Framed(NamedTuple):
    """What a read completed."""

    messages: list[bytes]
    pings: int
    """Double CRLFs between messages; each one wants a single CRLF back."""


class StreamFramer:
    """Holds at most one incomplete message of `max_bytes`."""

    def __init__(self, max_bytes: int = MAX_STREAM_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = b""
        self._searched = 0
        self._needed = 0
        """Size of the incomplete message once its header section is known."""

    @property
    def midway(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._rest.strip(b"\r\n"))

    def feed(self, data: bytes) -> Framed:
        """Everything completed by `data`. Raises `StreamError`; the framer is then of no more use."""
        self._rest += data
        messages: list[bytes] = []
        pings = 0
        while True:
            pings += self._skip_blank()
            message = self._next_message()
            if message is None:
                return Framed(messages, pings)
            messages.append(message)

    def _skip_blank(self) -> int:
        if self._needed or self._rest[:1] not in (b"\r", b"\n"):
            return 0
        stripped = self._rest.lstrip(b"\r\n")
        blank = self._rest[: len(self._rest) - len(stripped)]
        pings = blank.count(_PING)
        # A part of a keep-alive may be all there is yet: the other one comes with the next read.
        unpaired = blank.rpartition(_PING)[2]
        self._rest = stripped or unpaired[1 - len(_PING) :]
        self._searched = 0
        return pings

    def _next_message(self) -> bytes | None:
        if not self._needed and not self._find_head():
            return None
        if len(self._rest) < self._needed:
            return None
        message, self._rest = self._rest[: self._needed], self._rest[self._needed :]
        self._needed = self._searched = 0
        return message

    def _find_head(self) -> bool:
        if not self._rest.strip(b"\r\n"):
            return False
        end = _HEAD_END.search(self._rest, max(0, self._searched - _LONGEST_HEAD_END))
        if end is None:
            self._searched = len(self._rest)
            if len(self._rest) > self._max_bytes:
                raise StreamError("header section too long")
            return False
        head = self._rest[: end.end()]
        self._needed = len(head) + self._body_bytes(head)
        if self._needed > self._max_bytes:
            raise StreamError("message too long", head)
        return True

    def _body_bytes(self, head: bytes) -> int:
        lengths = set(_LENGTH.findall(unfold(head).replace(b"\r\n", b"\n")))
        if not lengths:
            return 0
        length = lengths.pop()
        if lengths or not length.isdigit() or len(length) > 9:
            raise StreamError("Content-Length can't be understood")
        return int(length)
