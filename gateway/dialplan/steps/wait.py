"""`wait`: let time pass."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.dialplan.language.words import Seconds, at_most
from gateway.dialplan.runtime import CallControl
from gateway.dialplan.step import Outcome, Scene, Step, spoken_seconds


class WaitStep(Step):
    """Let time pass; the caller hears silence, or ringing before the answer."""

    word: ClassVar[str] = "wait"
    shorthand: ClassVar[str] = "for"
    takes_time: ClassVar[bool] = True

    for_: Annotated[Seconds, at_most(600, "10m")] = Field(alias="for")
    """How long, at most 10m."""

    def describe(self) -> str:
        """As `Step` says."""
        return spoken_seconds(self.for_)

    async def run(self, call: CallControl, _scene: Scene) -> Outcome:
        """As `Step` says."""
        await call.wait(self.for_)
        return None
