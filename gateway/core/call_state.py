"""The states of a call and the ways between them.

    OFFERED ──► RINGING ──► ANSWERING ──► TALKING ◄──► RECOVERING
       │           │            │            │              │
       │           └────────────┴─────┬──────┴──────────────┤
       │                              ▼                     │
       │                         APOLOGISING ◄──────────────┘
       ▼                              ▼
    CLOSING ◄─────────── (from every state) ──► ENDED

A call that an earlier core process left behind starts in RECOVERING. CLOSING means that we have
asked for the end; a far end that hangs up leads to ENDED directly. Nothing leaves ENDED.
"""

from enum import StrEnum

from gateway.errors import LocalError


class CallState(StrEnum):
    """Where a call is in its life."""

    OFFERED = "offered"
    RINGING = "ringing"
    ANSWERING = "answering"
    TALKING = "talking"
    RECOVERING = "recovering"
    APOLOGISING = "apologising"
    CLOSING = "closing"
    ENDED = "ended"


_S = CallState
_END = frozenset({_S.CLOSING, _S.ENDED})

_NEXT: dict[CallState, frozenset[CallState]] = {
    _S.OFFERED: frozenset({_S.RINGING, _S.RECOVERING}) | _END,
    _S.RINGING: frozenset({_S.ANSWERING}) | _END,
    _S.ANSWERING: frozenset({_S.TALKING, _S.APOLOGISING}) | _END,
    _S.TALKING: frozenset({_S.RECOVERING, _S.APOLOGISING}) | _END,
    _S.RECOVERING: frozenset({_S.TALKING, _S.APOLOGISING}) | _END,
    _S.APOLOGISING: _END,
    _S.CLOSING: frozenset({_S.ENDED}),
    _S.ENDED: frozenset(),
}


def advance(current: CallState, following: CallState) -> CallState:
    """`following`, if the table allows it. Raises `LocalError`."""
    if following not in _NEXT[current]:
        raise LocalError(f"a call cannot go from {current} to {following}")
    return following
