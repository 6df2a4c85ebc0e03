"""`answer`: take the call off the hook."""

from typing import ClassVar

from gateway.dialplan.runtime import CallControl
from gateway.dialplan.step import Outcome, Scene, Step


class AnswerStep(Step):
    """Answer the call. Steps with sound do it by themselves; this one only says when."""

    word: ClassVar[str] = "answer"
    bare: ClassVar[bool] = True

    async def run(self, call: CallControl, _scene: Scene) -> Outcome:
        """As `Step` says."""
        await call.answer()
        return None
