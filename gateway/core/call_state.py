"""The states of a call and the ways between them.

    OFFERED ──► RINGING ──► ANSWERING ──► IN_PLAN ◄──► BRIDGED
       │           │            │          ▲   │          ▲
       │           │            │          │   ▼          │
       │           │            └──────► TALKING ◄────────┘
       │           │                       ▲   │
       │           │                       │   ▼
       │           └───► APOLOGISING ◄── RECOVERING
       ▼                      ▼
    CLOSING ◄─────── (from every state) ──► ENDED

IN_PLAN: steps of the dialplan run (prompts, menus, queues) · TALKING: with an agent · BRIDGED: with a
person. A call that an earlier core process left behind starts in RECOVERING. CLOSING means that we
have asked for the end; a far end that hangs up leads to ENDED directly. Nothing leaves ENDED.
"""

from enum import StrEnum

from gateway.errors import LocalError


class CallState(StrEnum):
    """Where a call is in its life."""

    OFFERED = "offered"
    RINGING = "ringing"
    ANSWERING = "answering"
    IN_PLAN = "in_plan"
    TALKING = "talking"
    BRIDGED = "bridged"
    RECOVERING = "recovering"
    APOLOGISING = "apologising"
    CLOSING = "closing"
    ENDED = "ended"


_S = CallState
_END = frozenset({_S.CLOSING, _S.ENDED})

_SERVED = frozenset({_S.IN_PLAN, _S.TALKING, _S.BRIDGED, _S.RECOVERING, _S.APOLOGISING})

_NEXT: dict[CallState, frozenset[CallState]] = {
    _S.OFFERED: frozenset({_S.RINGING, _S.RECOVERING}) | _END,
    _S.RINGING: frozenset({_S.ANSWERING}) | _END,
    _S.ANSWERING: frozenset({_S.IN_PLAN, _S.TALKING, _S.BRIDGED, _S.APOLOGISING}) | _END,
    _S.IN_PLAN: _SERVED - {_S.IN_PLAN} | _END,
    _S.TALKING: _SERVED - {_S.TALKING} | _END,
    _S.BRIDGED: _SERVED - {_S.BRIDGED} | _END,
    _S.RECOVERING: frozenset({_S.IN_PLAN, _S.TALKING, _S.BRIDGED, _S.APOLOGISING}) | _END,
    _S.APOLOGISING: _END,
    _S.CLOSING: frozenset({_S.ENDED}),
    _S.ENDED: frozenset(),
}


def advance(current: CallState, following: CallState) -> CallState:
    """`following`, if the table allows it. Raises `LocalError`."""
    if following not in _NEXT[current]:
        raise LocalError(f"a call cannot go from {current} to {following}")
    return following
