"""`goto`: continue with a flow."""

from collections.abc import Iterator
from typing import ClassVar

from gateway.dialplan.language.words import Name
from gateway.dialplan.runtime import CallControl
from gateway.dialplan.step import Jump, Outcome, Reference, Scene, Step


class GotoStep(Step):
    """Continue with a flow; nothing after this step runs."""

    word: ClassVar[str] = "goto"
    shorthand: ClassVar[str] = "flow"
    ends: ClassVar[bool] = True

    flow: Name
    """Name under `flows`."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield Reference("flow", self.flow, ("flow",))

    def describe(self) -> str:
        """As `Step` says."""
        return self.flow

    async def run(self, _call: CallControl, _scene: Scene) -> Outcome:
        """As `Step` says."""
        return Jump(self.flow)
