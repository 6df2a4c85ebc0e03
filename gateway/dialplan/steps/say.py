"""`say`: speak a text to the caller."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.config.section import Expected
from gateway.dialplan.language.words import Language
from gateway.dialplan.runtime import CallControl, FailureKind, Say
from gateway.dialplan.step import FailingStep, Outcome, Scene


class SayStep(FailingStep):
    """Speak a text with the synthesiser. Answers the call if that has not happened."""

    word: ClassVar[str] = "say"
    shorthand: ClassVar[str] = "text"
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    text: Annotated[str, Field(min_length=1, max_length=4096), Expected("a text")]
    """The words; may hold ${variables}."""
    language: Language | None = None
    """Their language; default: `defaults.language`."""

    def describe(self) -> str:
        """As `Step` says."""
        return f'"{self.text}"'

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        await call.play((Say(scene.text(self.text), self.language or scene.language),))
        return None
