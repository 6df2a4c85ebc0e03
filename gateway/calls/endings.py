"""Which `Termination` follows from what ended a call. Pure."""

from typing import Final

from gateway.backends.contract import BackendError, FaultKind
from gateway.core.record import CallKind
from gateway.core.termination import Reason, Termination
from gateway.dialplan.runtime import FailureKind, StepFailedError
from gateway.wire.card import LegClosed

_FAULT_REASON: Final[dict[FaultKind, Reason]] = {
    "unreachable": Reason.BACKEND_UNREACHABLE,
    "refused": Reason.BACKEND_REFUSED,
    "lost": Reason.BACKEND_LOST,
    "protocol": Reason.BACKEND_PROTOCOL,
    "expired": Reason.BACKEND_LOST,
}

_NO_ANSWER: Final = 408
"""PJSIP's word for an ACK, or an answer to a request of ours, that never came: nobody hung up."""


def by_fault(error: BackendError) -> Termination:
    """The AI service is of no use."""
    return Termination(_FAULT_REASON[error.kind], str(error))


_STEP_REASON: Final[dict[FailureKind, Reason]] = {
    "busy": Reason.BUSY,
    "no_answer": Reason.NO_ANSWER,
    "refused": Reason.TARGET_REFUSED,
    "unreachable": Reason.TARGET_UNREACHABLE,
    "not_allowed": Reason.TARGET_NOT_ALLOWED,
}


def by_step(failure: StepFailedError) -> Termination:
    """A step of the dialplan failed, and nothing in the plan took care of it."""
    reason = _STEP_REASON.get(failure.kind, Reason.PLAN_FAILED)
    return Termination(reason, f"{failure.kind}: {failure}")


def by_leg(closed: LegClosed, kind: CallKind, *, answered: bool) -> Termination:
    """The leg ended without our asking for it."""
    if closed.status == _NO_ANSWER and kind == "webrtc" and answered:
        return Termination(Reason.RTP_TIMEOUT, closed.reason)
    if closed.status == 488 and not answered:
        return Termination(Reason.NOT_ACCEPTABLE, closed.reason)
    if closed.by == "far_end" and closed.status != _NO_ANSWER:
        return Termination(Reason.CALLER_HANGUP if answered else Reason.CANCELLED)
    lost = Reason.CARD_LOST if closed.by == "card" and closed.status == 500 else Reason.SIGNALLING_FAILED
    return Termination(lost, f"{closed.status} {closed.reason}")
