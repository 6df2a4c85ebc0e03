"""Keeps requests from PJSIP that would abort the process.

One is known: an ACK without a To tag, sent after an INVITE with the same Call-ID, From tag and CSeq.
PJSIP takes it for a merged request (RFC 3261 §8.2.2.2), tries to answer it with 482 and stumbles over
an assertion, since an ACK has no answer. A proper ACK always carries the tag of the response that it
acknowledges (§13.2.2.4, §17.1.1.3).

The screen is a PJSIP module in front of the transaction layer. It reads the packet as received; where
that lies within PJSIP's structure is found out at the start with a request to ourselves.
"""

import ctypes
import re
import secrets
import socket
import time
from collections.abc import Callable

from gateway.cards.sip.border import callback
from gateway.observe.log import get_logger

_BEFORE_TRANSACTIONS = 12
"""Module priority between the transport (8) and the transaction layer (16)."""
_SEARCH_BYTES = 1024
_PROBE_WITHIN_S = 1.0
_TO_TAG = re.compile(rb"^(?:to|t)[ \t]*:.*;[ \t]*tag[ \t]*=[ \t]*[^;, \t\r\n]", re.IGNORECASE | re.MULTILINE)


def admits(packet: bytes) -> bool:
    """Whether PJSIP may see this request."""
    message = packet.lstrip(b"\r\n")
    if message[:3].upper() != b"ACK":
        return True
    head = re.split(rb"\r?\n\r?\n", message, maxsplit=1)[0]
    return _TO_TAG.search(re.sub(rb"\r?\n[ \t]+", b" ", head)) is not None


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

    def __init__(self, library: ctypes.CDLL) -> None:
        pointer = ctypes.c_void_p
        self._probe: bytes | None = None
        self._packet_offset: int | None = None
        self.refused = 0
        """Requests kept away."""
        self._callback = ctypes.CFUNCTYPE(ctypes.c_int, pointer)(self._on_request)
        self._module = _Module(
            name=b"screen",
            name_length=6,
            id=-1,
            priority=_BEFORE_TRANSACTIONS,
            on_rx_request=ctypes.cast(self._callback, pointer),
        )
        library.pjsua_get_pjsip_endpt.restype = pointer
        register = library.pjsip_endpt_register_module
        register.argtypes = [pointer, pointer]
        self._registered = register(library.pjsua_get_pjsip_endpt(), ctypes.byref(self._module)) == 0

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
            elif self._packet_offset is not None and not admits(
                ctypes.string_at(received + self._packet_offset)
            ):
                self.refused += 1
                get_logger().debug("request kept from PJSIP", method="ACK")
                return 1
        return 0
