"""`hangup`: end the call."""

from typing import ClassVar

from gateway.dialplan.runtime import CallControl
from gateway.dialplan.step import Outcome, Scene, Step


class HangupStep(Step):
    """End the call."""

    word: ClassVar[str] = "hangup"
    bare: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    async def run(self, call: CallControl, _scene: Scene) -> Outcome:
        """As `Step` says."""
        await call.hang_up()
        return None
