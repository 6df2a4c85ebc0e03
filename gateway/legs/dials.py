"""Calls that we place, on their way to a card and back.

First the edge is asked for a slot (`SlotGranted` names the card and the Call-ID), then the card for
the call. A leg exists from `DialStarted` on; what it says before somebody has attached to it waits.
Whoever asked may be cancelled at any point: then the slot goes back, or the leg is hung up.
"""

from dataclasses import dataclass, field

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRequest:
    """A call to place."""

    target_uri: str
    """SIP URI to call, escaped."""
    from_uri: str
    """SIP URI that we call from, perhaps with a display name before it."""
    headers: Headers = ()
    """More headers of the INVITE."""
    username: str = ""
    """For a digest challenge; empty: a challenge ends the call."""
    password: str = field(default="", repr=False)
