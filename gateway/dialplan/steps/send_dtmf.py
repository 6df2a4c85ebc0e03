"""`send_dtmf`: send keys to the caller's side."""

import re
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.config.section import Expected
from gateway.dialplan.runtime import CallControl, FailureKind, StepFailedError
from gateway.dialplan.step import FailingStep, Outcome, Scene


class SendDtmfStep(FailingStep):
    """Send keys (RFC 4733)."""

    word: ClassVar[str] = "send_dtmf"
    shorthand: ClassVar[str] = "digits"
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    digits: Annotated[str, Field(min_length=1, max_length=64), Expected("keys of a telephone, in quotes")]
    """0-9, A-D, *, #; may hold ${variables}."""

    def describe(self) -> str:
        """As `Step` says."""
        return self.digits

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        digits = scene.text(self.digits)
        if not re.fullmatch(r"[0-9A-D*#]{1,64}", digits):
            raise StepFailedError("error", "the digits are none of 0-9, A-D, * and #, or more than 64")
        await call.send_dtmf(digits)
        return None
