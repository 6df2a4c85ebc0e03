"""`play`: let the caller hear prompts."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from gateway.dialplan.language.words import Keys
from gateway.dialplan.runtime import CallControl, FailureKind
from gateway.dialplan.step import FailingStep, Outcome, Prompts, Reference, Scene, prompt_references


class PlayStep(FailingStep):
    """Play prompts to their end. Answers the call if that has not happened."""

    word: ClassVar[str] = "play"
    shorthand: ClassVar[str] = "prompts"
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    prompts: Prompts = Field(min_length=1)
    """What to play, one after the other."""
    interrupt: Keys | None = None
    """Keys that end it; the key is then in ${digits}."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from prompt_references(self.prompts, "prompts")

    def describe(self) -> str:
        """As `Step` says."""
        return ", ".join(ref.shown() for ref in self.prompts)

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        key = await call.play(scene.prompts(self.prompts), interrupt_keys=self.interrupt or "")
        if self.interrupt:
            call.variables["digits"] = key
        return None
