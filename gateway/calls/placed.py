"""The beginning of a call that we placed: the far end answers, or does not."""

from collections.abc import Callable
from typing import Final

from gateway.calls.dialling import DialFault
from gateway.calls.endings import by_step
from gateway.calls.events import CallEndedError, CallEvents
from gateway.calls.journal import Journal
from gateway.core.termination import Reason, Termination
from gateway.dialplan.runtime import StepFailedError

_FAULTS: Final[dict[int, DialFault]] = {
    486: "busy",
    600: "busy",
    408: "no_answer",
    480: "no_answer",
    487: "no_answer",
    403: "refused",
    603: "refused",
    607: "refused",
}
"""Final answers (RFC 3261 §21) by what they mean to the caller."""


def dial_fault(status: int) -> DialFault:
    """What the final answer of somebody who was called means; unknown ones: unreachable."""
    return _FAULTS.get(status, "unreachable")


async def reached(events: CallEvents, journal: Journal, clock: Callable[[], float], ring_s: float) -> None:
    """Until the far end has answered. Raises `CallEndedError`."""
    deadline = clock() + ring_s
    try:
        while journal.figures.answered_s is None:
            if await events.next(deadline) is None:
                why = f"nobody answered within {ring_s:g} s"
                raise CallEndedError(Termination(Reason.NO_ANSWER, why))
    except CallEndedError:
        if not events.leg_closed or journal.figures.answered_s is not None:
            raise
        status = journal.figures.sip_status or 0
        failure = StepFailedError(dial_fault(status), f"the far end said {status}")
        raise CallEndedError(by_step(failure)) from None
