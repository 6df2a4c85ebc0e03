"""`ring`: let the caller hear ringing, or a prompt as early media, before the answer."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.config.section import Expected
from gateway.dialplan.language.words import ONE_OR_MORE, Seconds
from gateway.dialplan.runtime import CallControl, FailureKind
from gateway.dialplan.step import (
    FailingStep,
    Outcome,
    PromptRef,
    Reference,
    Scene,
    prompt_references,
    spoken_seconds,
)


class RingStep(FailingStep):
    """Ring the caller's phone for a while.

    A prompt is heard before the answer (early media), which costs the caller nothing: an announcement ahead
    of `reject`. It ends with the answer. Browsers cannot hear it, nor can anybody once the call is answered:
    the failure is `not_possible` then.
    """

    word: ClassVar[str] = "ring"
    shorthand: ClassVar[str] = "for"
    bare: ClassVar[bool] = True
    takes_time: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    for_: Seconds = Field(default=2.0, alias="for")
    """How long."""
    play: Annotated[list[PromptRef], ONE_OR_MORE, Field(max_length=1), Expected("one prompt")] = Field(
        default_factory=list
    )
    """Early media instead of the ringing tone; one prompt."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from prompt_references(self.play, "play")

    def describe(self) -> str:
        """As `Step` says."""
        return f"{spoken_seconds(self.for_)} {' '.join(ref.shown() for ref in self.play)}".rstrip()

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        prompts = scene.prompts(self.play)
        await call.ring(prompts[0] if prompts else None)
        await call.wait(self.for_)
        return None
