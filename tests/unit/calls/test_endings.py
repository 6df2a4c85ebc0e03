"""Which termination follows from what."""

from typing import Literal

import pytest

from gateway.backends.contract import BackendError, FaultKind
from gateway.calls.endings import by_fault, by_leg
from gateway.core.ids import LegId
from gateway.core.termination import Reason
from gateway.wire.card import LegClosed


@pytest.mark.parametrize(
    ("status", "by", "answered", "reason"),
    [
        (200, "far_end", True, Reason.CALLER_HANGUP),
        (487, "far_end", False, Reason.CANCELLED),
        (488, "far_end", False, Reason.NOT_ACCEPTABLE),
        (488, "card", False, Reason.NOT_ACCEPTABLE),
        (488, "far_end", True, Reason.CALLER_HANGUP),
        (500, "card", True, Reason.CARD_LOST),
        (408, "far_end", True, Reason.SIGNALLING_FAILED),
        (503, "card", True, Reason.SIGNALLING_FAILED),
        (408, "gateway", True, Reason.SIGNALLING_FAILED),
    ],
)
def test_by_leg(
    status: int, by: Literal["far_end", "gateway", "card"], answered: bool, reason: Reason
) -> None:
    assert by_leg(LegClosed(LegId(1), status, "x", by), "sip", answered=answered).reason is reason


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unreachable", Reason.BACKEND_UNREACHABLE),
        ("refused", Reason.BACKEND_REFUSED),
        ("lost", Reason.BACKEND_LOST),
        ("protocol", Reason.BACKEND_PROTOCOL),
        ("expired", Reason.BACKEND_LOST),
    ],
)
def test_by_fault(kind: FaultKind, reason: Reason) -> None:
    termination = by_fault(BackendError(kind, "ws://x: no", retryable=True))
    assert (termination.reason, termination.detail) == (reason, "ws://x: no")


def test_a_browser_that_vanished_is_no_fault_of_the_signalling() -> None:
    closed = LegClosed(LegId(1), 408, "no sign of life for 8 s", "far_end")
    assert by_leg(closed, "webrtc", answered=True).reason is Reason.RTP_TIMEOUT
    assert by_leg(closed, "sip", answered=True).reason is Reason.SIGNALLING_FAILED
