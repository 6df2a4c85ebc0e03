"""`wait`: let time pass."""

from typing import ClassVar

from pydantic import Field

from gateway.dialplan.language.words import Seconds
from gateway.dialplan.runtime import CallControl
from gateway.dialplan.step import Outcome, Scene, Step, spoken_seconds


class WaitStep(Step):
    """Let time pass; the caller hears silence, or ringing before the answer."""

    word: ClassVar[str] = "wait"
    shorthand: ClassVar[str] = "for"
    takes_time: ClassVar[bool] = True

    for_: Seconds = Field(alias="for", le=600)
    """How long, at most 10m."""

    def describe(self) -> str:
        """As `Step` says."""
        return spoken_seconds(self.for_)

    async def run(self, call: CallControl, _scene: Scene) -> Outcome:
        """As `Step` says."""
        await call.wait(self.for_)
        return None
