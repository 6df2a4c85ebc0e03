"""How a call ended: one value per call, from which CDR, metric label and SIP status follow."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """The coarse outcome, as call centres count it."""

    COMPLETED = "completed"
    """Answered and ended by one of the parties in the normal way."""
    ABANDONED = "abandoned"
    """The caller gave up before an answer."""
    REJECTED = "rejected"
    """We refused the call."""
    FAILED = "failed"
    """A fault on our side, the backend's or the network's ended it."""


class Reason(StrEnum):
    """The precise cause."""

    CALLER_HANGUP = "caller_hangup"
    AGENT_HANGUP = "agent_hangup"
    CANCELLED = "cancelled"
    PLAN_ENDED = "plan_ended"
    PARTY_HANGUP = "party_hangup"
    TRANSFERRED = "transferred"
    ADMIN_HANGUP = "admin_hangup"
    DRAINED = "drained"
    NO_ROUTE = "no_route"
    DECLINED = "declined"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    TARGET_REFUSED = "target_refused"
    TARGET_UNREACHABLE = "target_unreachable"
    TARGET_NOT_ALLOWED = "target_not_allowed"
    PLAN_FAILED = "plan_failed"
    NOT_ACCEPTABLE = "not_acceptable"
    BACKEND_UNREACHABLE = "backend_unreachable"
    BACKEND_REFUSED = "backend_refused"
    BACKEND_LOST = "backend_lost"
    BACKEND_PROTOCOL = "backend_protocol"
    RTP_TIMEOUT = "rtp_timeout"
    SIGNALLING_FAILED = "signalling_failed"
    CARD_LOST = "card_lost"
    INTERNAL_ERROR = "internal_error"


_OUTCOME: dict[Reason, tuple[Result, int, str]] = {
    Reason.CALLER_HANGUP: (Result.COMPLETED, 200, "Normal Clearing"),
    Reason.AGENT_HANGUP: (Result.COMPLETED, 200, "Normal Clearing"),
    Reason.CANCELLED: (Result.ABANDONED, 487, "Request Terminated"),
    Reason.PLAN_ENDED: (Result.COMPLETED, 200, "Normal Clearing"),
    Reason.PARTY_HANGUP: (Result.COMPLETED, 200, "Normal Clearing"),
    Reason.TRANSFERRED: (Result.COMPLETED, 200, "Normal Clearing"),
    Reason.ADMIN_HANGUP: (Result.COMPLETED, 480, "Temporarily Unavailable"),
    Reason.DRAINED: (Result.FAILED, 503, "Service Unavailable"),
    Reason.NO_ROUTE: (Result.REJECTED, 404, "Not Found"),
    Reason.DECLINED: (Result.REJECTED, 603, "Decline"),
    Reason.NO_ANSWER: (Result.FAILED, 480, "Temporarily Unavailable"),
    Reason.TARGET_REFUSED: (Result.FAILED, 480, "Temporarily Unavailable"),
    Reason.TARGET_UNREACHABLE: (Result.FAILED, 503, "Service Unavailable"),
    Reason.TARGET_NOT_ALLOWED: (Result.FAILED, 403, "Forbidden"),
    Reason.PLAN_FAILED: (Result.FAILED, 500, "Server Internal Error"),
    Reason.BUSY: (Result.REJECTED, 486, "Busy Here"),
    Reason.NOT_ACCEPTABLE: (Result.REJECTED, 488, "Not Acceptable Here"),
    Reason.BACKEND_UNREACHABLE: (Result.FAILED, 503, "Service Unavailable"),
    Reason.BACKEND_REFUSED: (Result.FAILED, 503, "Service Unavailable"),
    Reason.BACKEND_LOST: (Result.FAILED, 503, "Service Unavailable"),
    Reason.BACKEND_PROTOCOL: (Result.FAILED, 503, "Service Unavailable"),
    Reason.RTP_TIMEOUT: (Result.FAILED, 408, "Request Timeout"),
    Reason.SIGNALLING_FAILED: (Result.FAILED, 500, "Server Internal Error"),
    Reason.CARD_LOST: (Result.FAILED, 500, "Server Internal Error"),
    Reason.INTERNAL_ERROR: (Result.FAILED, 500, "Server Internal Error"),
}


@dataclass(frozen=True, slots=True)
class Termination:
    """The one value that says how a call ended."""

    reason: Reason
    """Why the call ended."""
    detail: str = ""
    """Human-readable addition without personal data or secrets."""
    status: int = 0
    """SIP status that somebody chose for the refusal; 0 for the reason's own."""
    phrase: str = ""
    """Their words for it; may hold personal data."""

    @property
    def result(self) -> Result:
        """Coarse outcome for statistics."""
        return _OUTCOME[self.reason][0]

    @property
    def sip_status(self) -> tuple[int, str]:
        """Status code and reason phrase (RFC 3261 §21) if the call has no final answer yet."""
        if self.status:
            return self.status, self.phrase
        return _OUTCOME[self.reason][1:]
