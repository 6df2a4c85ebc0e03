"""Variables of a call that the gateway fills in; plans and agents read them as ${name}. Pure."""

from collections.abc import Mapping
from typing import Final

BUILT_IN: Final[Mapping[str, str]] = {
    "from": "the caller's number",
    "to": "the dialled number",
    "trunk": "trunk that the call came by; empty if none",
    "kind": "sip or webrtc",
    "direction": "inbound or outbound",
    "route": "name of the route that took the call",
    "split": "the name that the route's split chose for this caller",
    "agent": "agent asked for by name (WebRTC); empty if none",
    "digits": "keys pressed in the last gather; empty if none",
    "choice": "what the last gather with words found out; empty if nothing",
    "recording": "file of the last recording",
    "said": "reason that the last agent gave when it ended the conversation",
    "failure": "kind of the last failure, such as backend_down",
    "failure_reason": "the last failure in words",
    "date": "today, such as 2026-12-24, in the plan's time zone",
    "time": "now, such as 09:30, in the plan's time zone",
}
"""Every variable that the gateway fills in. Others come from set, gather, http, `variables:` or an
agent's set_variable."""

MAX_VALUE_CHARS: Final = 4096
"""Longer values are cut."""
