"""`reject`: refuse the call."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from gateway.config.section import NO_TRUTH_VALUE
from gateway.dialplan.language.words import AnyText
from gateway.dialplan.runtime import CallControl, FailureKind, StepFailedError
from gateway.dialplan.step import FailingStep, Outcome, Scene

_MAX_REASON_CHARS: Final = 128
"""A response has to fit into a datagram."""


class RejectStep(FailingStep):
    """Refuse the call with a SIP status; only before it was answered, else `not_possible`."""

    word: ClassVar[str] = "reject"
    shorthand: ClassVar[str] = "status"
    bare: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible",)

    status: Annotated[int, Field(ge=400, le=699), NO_TRUTH_VALUE] = 603
    """SIP status (RFC 3261 section 21), such as 486 busy, 404 not found, 603 decline."""
    reason: AnyText = ""
    """Reason phrase; default: the status's own."""

    def describe(self) -> str:
        """As `Step` says."""
        return f"{self.status} {self.reason}".rstrip()

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        if call.answered:
            raise StepFailedError("not_possible", "a call that was answered cannot be refused")
        reason = "".join(char for char in scene.text(self.reason) if char.isprintable())
        await call.reject(self.status, reason[:_MAX_REASON_CHARS])
        return None
