"""Handing a caller's phone over to somebody else by REFER (RFC 3515)."""

from collections.abc import Callable
from typing import Final

from gateway.calls.dialling import Dialler, NotReachedError
from gateway.calls.events import CallEndedError, CallEvents
from gateway.calls.journal import Journal
from gateway.core.record import TimelineKind
from gateway.core.termination import Reason, Termination
from gateway.dialplan.runtime import StepFailedError
from gateway.errors import LocalError
from gateway.legs.contract import Leg
from gateway.wire import card as wire

_TIMEOUT_S: Final = 30.0


async def refer(
    leg: Leg, target: str, dialler: Dialler, events: CallEvents, journal: Journal, clock: Callable[[], float]
) -> None:
    """Ask the phone to call a target, and wait for its word. Success raises `CallEndedError`.

    Raises `StepFailedError` of the kinds of a dial step, not_possible and timeout.
    """
    try:
        leg.transfer(dialler.refer_uri(target))
    except NotReachedError as exc:
        raise StepFailedError(exc.fault, str(exc)) from exc
    except LocalError as exc:
        raise StepFailedError("not_possible", str(exc)) from exc
    deadline = clock() + _TIMEOUT_S
    while (event := await events.next(deadline)) is not None:
        if isinstance(event, wire.Refused) and event.command == wire.Transfer.__name__:
            raise StepFailedError("refused", event.reason)
        if isinstance(event, wire.TransferProgress) and event.final:
            journal.note(TimelineKind.TRANSFER, result=event.status, reason=event.reason)
            if 200 <= event.status < 300:
                raise CallEndedError(Termination(Reason.TRANSFERRED))
            raise StepFailedError("refused", f"{event.status} {event.reason}")
    raise StepFailedError("timeout", "the phone did not say how the transfer went")
