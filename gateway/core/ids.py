"""Identifiers, each of its own type so that they are not mixed up."""

from typing import NewType

CallId = NewType("CallId", str)
"""Gateway-wide id of a call: `call_` and 20 hex digits."""

CardId = NewType("CardId", int)
"""Index of a line card on this node; it also chooses the card's RTP port block."""

LegId = NewType("LegId", int)
"""Serial number of a leg on its card (unsigned 32 bits, never reused by that card process)."""

Mark = NewType("Mark", int)
"""Label of a run of playout audio (unsigned 32 bits); one backend item or prompt is one mark."""
