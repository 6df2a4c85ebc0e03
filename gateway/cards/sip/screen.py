"""Keeps messages from PJSIP that would abort the process.

Known are (found by sending spoilt messages; a proper peer sends none but the last):

- An ACK without a To tag after an INVITE with the same Call-ID, From tag and CSeq. PJSIP takes it for a
  merged request (RFC 3261 §8.2.2.2) and tries to answer it, which an ACK must not be. A proper ACK
  carries the tag of the response that it acknowledges (§13.2.2.4, §17.1.1.3).
- An address in SDP of more than 253 characters.
- SDP with a medium that has no connection address, its own or the session's (RFC 8866 §5.7). PJSIP lets
  it pass at first when the medium's port is 0, and then insists on it.
- SDP with an IPv6 connection address: the wheel has no IPv6, and aborts at the next offer.
- An answer with SDP to our INVITE after one whose SDP could not be negotiated; see `answers.py`.
- Too many new calls in a short time; see `gateway/core/churn.py`.
- A digit by INFO whose body is one line without CRLF, which phones do send: PJSIP counts on two more bytes.
  It gets them.

The screen is a PJSIP module in front of the transaction layer. It reads the packet as received; where
that lies within PJSIP's structure is found out at the start with a request to ourselves.
"""

import ctypes
import re
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.cards.sip.border import callback
from gateway.observe.log import get_logger

_BEFORE_TRANSACTIONS = 12
"""Module priority between the transport (8) and the transaction layer (16)."""
_SEARCH_BYTES = 1024
_PROBE_WITHIN_S = 1.0
_MAX_PACKET_BYTES = 3990
"""PJSIP's buffer holds 4000."""
_MAX_ADDRESS_BYTES = 253
"""Longest domain name (RFC 1035 §2.3.4)."""
_TO_TAG = re.compile(rb"^(?:to|t)[ \t]*:.*;[ \t]*tag[ \t]*=[ \t]*[^;, \t\r\n]", re.IGNORECASE | re.MULTILINE)
_TO_TAG_VALUE = re.compile(
    rb"^(?:to|t)[ \t]*:.*;[ \t]*tag[ \t]*=[ \t]*([^;, \t\r\n]+)", re.IGNORECASE | re.MULTILINE
)
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_BRANCH = re.compile(
    rb"^(?:via|v)[ \t]*:[^\n]*?;[ \t]*branch[ \t]*=[ \t]*([^;, \t\r\n]+)", re.IGNORECASE | re.MULTILINE
)
_CSEQ_METHOD = re.compile(rb"^cseq[ \t]*:[ \t]*\d+[ \t]+(\S+)", re.IGNORECASE | re.MULTILINE)
_IPV6 = re.compile(rb"c=\s*IN\s+IP6\b", re.IGNORECASE)
_WITH_ADDRESS = (b"c=", b"o=", b"a=rtcp:", b"a=candidate:")


def fault(packet: bytes) -> str | None:
    """Why PJSIP must not see this message; None if it may."""
    message = packet.lstrip(b"\r\n")
    head, _, body = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    if head[:3].upper() == b"ACK" and _TO_TAG.search(re.sub(rb"\n[ \t]+", b" ", head)) is None:
        return "ACK without To tag"
    return _sdp_fault(body) if body else None


def line_end_missing(packet: bytes) -> bool:
    """Whether this is an INFO with a body that does not end with CRLF."""
    message = packet.lstrip(b"\r\n")
    if message[:5].upper() != b"INFO " or message.endswith(b"\r\n"):
        return False
    return bool(message.replace(b"\r\n", b"\n").partition(b"\n\n")[2])


def new_call(packet: bytes) -> bytes | None:
    """What tells an INVITE that begins a call from others: its Call-ID and the branch of its topmost Via.

    None if it is something else, or has no Call-ID. One that is sent again has both (RFC 3261 §17.2.3).
    """
    message = packet.lstrip(b"\r\n")
    if message[:7].upper() != b"INVITE ":
        return None
    head = re.sub(rb"\n[ \t]+", b" ", message.replace(b"\r\n", b"\n").partition(b"\n\n")[0])
    call_id, branch = _CALL_ID.search(head), _BRANCH.search(head)
    if call_id is None or _TO_TAG.search(head) is not None:
        return None
    return call_id[1] + b" " + (branch[1] if branch else b"")


@dataclass(frozen=True, slots=True)
class SdpAnswer:
    """A response with SDP to an INVITE."""

    sip_call_id: bytes
    to_tag: bytes
    sdp: bytes
    provisional: bool


def sdp_answer(packet: bytes) -> SdpAnswer | None:
    """What a response says about media; None if it is not about that."""
    head, _, body = packet.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n\n")
    if not body.strip() or not head.startswith(b"SIP/2.0 "):
        return None
    head = re.sub(rb"\n[ \t]+", b" ", head)
    call_id, method = _CALL_ID.search(head), _CSEQ_METHOD.search(head)
    if call_id is None or method is None or method[1] != b"INVITE" or head[8:9] not in (b"1", b"2"):
        return None
    to_tag = _TO_TAG_VALUE.search(head)
    return SdpAnswer(call_id[1], to_tag[1] if to_tag else b"", body, provisional=head[8:9] == b"1")


def _sdp_fault(body: bytes) -> str | None:
    session = current = False
    media = 0
    for line in body.replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(_WITH_ADDRESS) and any(len(word) > _MAX_ADDRESS_BYTES for word in line.split()):
            return "address too long"
        if _IPV6.match(line):
            return "IPv6 address"
        if line.startswith(b"m="):
            if media and not (session or current):
                return "medium without address"
            media, current = media + 1, False
        elif line.startswith(b"c="):
            if media:
                current = True
            else:
                session = True
    return "medium without address" if media and not (session or current) else None


class _Module(ctypes.Structure):
    """`pjsip_module`."""

    _fields_ = (
        ("previous", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("name_length", ctypes.c_ssize_t),
        ("id", ctypes.c_int),
        ("priority", ctypes.c_int),
        ("load", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("unload", ctypes.c_void_p),
        ("on_rx_request", ctypes.c_void_p),
        ("on_rx_response", ctypes.c_void_p),
        ("on_tx_request", ctypes.c_void_p),
        ("on_tx_response", ctypes.c_void_p),
        ("on_tsx_state", ctypes.c_void_p),
    )


class Screen:
    """The module; lives as long as the process."""

    def __init__(
        self,
        library: ctypes.CDLL,
        may_begin: Callable[[bytes], bool],
        may_answer: Callable[[SdpAnswer], bool],
    ) -> None:
        """may_begin is asked of a new call (see `new_call`), may_answer of SDP in responses to an INVITE."""
        pointer = ctypes.c_void_p
        self._may_begin, self._may_answer = may_begin, may_answer
        self._probe: bytes | None = None
        self._packet_offset: int | None = None
        self.refused = 0
        """Messages kept away."""
        # PJSIP keeps the addresses of these.
        function = ctypes.CFUNCTYPE(ctypes.c_int, pointer)
        self._callbacks = function(self._on_request), function(self._on_response)
        self._module = _Module(
            name=b"screen",
            name_length=6,
            id=-1,
            priority=_BEFORE_TRANSACTIONS,
            on_rx_request=ctypes.cast(self._callbacks[0], pointer),
            on_rx_response=ctypes.cast(self._callbacks[1], pointer),
        )
        library.pjsua_get_pjsip_endpt.restype = pointer
        self._endpoint = pointer(library.pjsua_get_pjsip_endpt())
        self._respond = library.pjsip_endpt_respond_stateless
        self._respond.argtypes = [pointer, pointer, ctypes.c_int, pointer, pointer, pointer]
        register = library.pjsip_endpt_register_module
        register.argtypes = [pointer, pointer]
        self._registered = register(self._endpoint, ctypes.byref(self._module)) == 0

    def locate(self, address: str, port: int, handle_events: Callable[[int], object]) -> bool:
        """Find out where PJSIP keeps the packet; False (and no screen) if that fails."""
        self._probe = b"ACK sip:%s@localhost SIP/2.0" % secrets.token_hex(8).encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as us:
            us.bind((address, 0))
            own = f"{address}:{us.getsockname()[1]}".encode()
            headers = (
                b"Via: SIP/2.0/UDP %s;branch=z9hG4bKprobe" % own,
                b"From: <sip:probe@localhost>;tag=probe",
                b"To: <sip:probe@localhost>;tag=probe",
                b"Call-ID: probe",
                b"CSeq: 1 ACK",
                b"Content-Length: 0",
            )
            us.sendto(b"\r\n".join((self._probe, *headers, b"", b"")), (address, port))
            deadline_s = time.monotonic() + _PROBE_WITHIN_S
            while self._registered and self._packet_offset is None and time.monotonic() < deadline_s:
                handle_events(10)
        self._probe = None
        return self._packet_offset is not None

    def _on_request(self, received: int) -> int:
        """PJSIP's question whether this module has dealt with the request: 1 keeps it from all others."""
        with callback("screen"):
            if self._probe is not None:
                found = ctypes.string_at(received, _SEARCH_BYTES).find(self._probe)
                if found >= 0:
                    self._packet_offset = found
                    return 1
            packet = self._bad_packet(received)
            if packet is not None:
                if packet.lstrip()[:3].upper() != b"ACK":
                    self._respond(self._endpoint, received, 400, None, None, None)
                return 1
            if not self._begins(received):
                self._respond(self._endpoint, received, 503, None, None, None)
                return 1
        return 0

    def _begins(self, received: int) -> bool:
        if self._packet_offset is None:
            return True
        transaction = new_call(ctypes.string_at(received + self._packet_offset))
        if transaction is None or self._may_begin(transaction):
            return True
        self.refused += 1
        get_logger().debug("message kept from PJSIP", reason="too many new calls")
        return False

    def _on_response(self, received: int) -> int:
        bad = False
        with callback("screen"):
            packet = self._bad_packet(received)
            bad = packet is not None or not self._answer_passes(received)
        return int(bad)

    def _answer_passes(self, received: int) -> bool:
        if self._packet_offset is None:
            return True
        answer = sdp_answer(ctypes.string_at(received + self._packet_offset))
        if answer is None or self._may_answer(answer):
            return True
        self.refused += 1
        get_logger().debug("message kept from PJSIP", reason="SDP after some that was unfit")
        return False

    def _bad_packet(self, received: int) -> bytes | None:
        if self._packet_offset is None:
            return None
        packet = ctypes.string_at(received + self._packet_offset)
        reason = fault(packet)
        if reason is None and line_end_missing(packet):
            if len(packet) <= _MAX_PACKET_BYTES:
                # The body is read up to the zero that ends the packet.
                ctypes.memmove(received + self._packet_offset + len(packet), b"\r\n\0", 3)
            else:
                reason = "INFO too long"
        if reason is None:
            return None
        self.refused += 1
        get_logger().debug("message kept from PJSIP", reason=reason)
        return packet
