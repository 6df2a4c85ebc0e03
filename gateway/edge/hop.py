"""What every request from the outside goes through: checks, the real source, the hop count. Pure."""

from typing import Final

from gateway.edge.commands import Flow
from gateway.edge.message import SIP_VERSION, SipMessage
from gateway.edge.replies import Headers
from gateway.edge.syntax import param, parse_uri, parse_via, uri_scheme, without_param

MAX_URI_BYTES: Final = 255
"""PJSIP_MAX_URL_SIZE of the wheel is 256."""


def refusal(request: SipMessage) -> tuple[int, Headers] | None:
    """Why a request is refused whatever it is about (RFC 3261 §16.3), with the headers to say so."""
    if request.version != SIP_VERSION:
        return 505, ()
    if uri_scheme(request.uri) not in (b"sip", b"tel"):
        return 416, ()
    if uri_scheme(request.uri) == b"sip" and parse_uri(request.uri) is None:
        return 400, ()
    if len(request.uri) > MAX_URI_BYTES:
        return 414, ()
    unsupported = request.all(b"proxy-require")
    if unsupported:
        return 420, ((b"Unsupported", b", ".join(unsupported)),)
    if request.get(b"max-forwards") in (b"0", b"00", b"000"):
        return 483, ()
    return None


def stamp_via(request: SipMessage, flow: Flow) -> bool:
    """Write the real source in the top Via (RFC 3261 §18.2.1, RFC 3581 §4). False if it is no Via."""
    position = request.index(b"via")
    if position is None:
        return False
    value = request.fields[position][2]
    via = parse_via(value)
    if via is None:
        return False
    params = without_param(without_param(via.params, b"received"), b"rport").rstrip()
    params += b";received=" + flow.address.encode()
    if param(via.params, b"rport") is not None:
        params += b";rport=%d" % flow.port
    request.replace(position, value[: len(value) - len(via.params)].rstrip() + params)
    return True


def count_hop(request: SipMessage) -> None:
    """Max-Forwards (RFC 3261 §16.6 step 3)."""
    position = request.index(b"max-forwards")
    if position is None:
        request.insert((request.index(b"via") or 0) + len(request.all(b"via")), b"Max-Forwards", b"70")
    else:
        request.replace(position, b"%d" % max(0, int(request.fields[position][2]) - 1))
