"""`transfer`: hand the caller over to somebody."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gateway.dialplan.language.words import AnyText, Seconds
from gateway.dialplan.runtime import CallControl, DialRequest, FailureKind, StepFailedError
from gateway.dialplan.step import CallingStep, Reference, Scene
from gateway.dialplan.steps.bridge import DIAL_FAILURES, target_text


class TransferStep(CallingStep):
    """Hand the caller over.

    refer: the caller's phone is told to call the target (RFC 3515) and the call ends here; where the
    phone or trunk cannot, the failure is `not_possible`. bridge: the gateway calls the target and
    stays between. attended (RFC 3891) is read and checked, but always fails with `not_possible`.
    """

    word: ClassVar[str] = "transfer"
    shorthand: ClassVar[str] = "to"
    fails: ClassVar[tuple[FailureKind, ...]] = (*DIAL_FAILURES, "timeout")

    to: Annotated[str, Field(min_length=1, max_length=256)]
    """Target such as sip:billing@pbx or webrtc:op1; may hold ${variables} in its user."""
    by: Literal["refer", "bridge", "attended"] = "bridge"
    """How."""
    ring: Seconds = 30.0
    """How long the target rings (bridge)."""
    caller_id: AnyText = ""
    """Number shown to the target (bridge); default: the caller's where the trunk allows it."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield Reference("target", self.to, ("to",))

    def describe(self) -> str:
        """As `Step` says."""
        return f"{self.to} by {self.by}"

    async def connect(self, call: CallControl, scene: Scene) -> None:
        """As `CallingStep` says."""
        target = target_text(self.to, scene)
        if self.by == "refer":
            await call.refer(target)
        elif self.by == "bridge":
            caller_id = scene.text(self.caller_id)
            await call.dial(DialRequest((target,), self.ring, caller_id=caller_id, key=scene.place))
        else:
            raise StepFailedError("not_possible", "attended transfer is not available")
