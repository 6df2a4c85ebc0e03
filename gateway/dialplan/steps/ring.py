"""`ring`: let the caller hear ringing, or a prompt as early media, before the answer."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from gateway.dialplan.language.words import Seconds
from gateway.dialplan.runtime import CallControl, FailureKind
from gateway.dialplan.step import (
    FailingStep,
    Outcome,
    Prompts,
    Reference,
    Scene,
    prompt_references,
    spoken_seconds,
)


class RingStep(FailingStep):
    """Ring the caller's phone for a while.

    A prompt as early media needs a leg that can send sound before the answer; where it cannot, the
    failure is `not_possible`.
    """

    word: ClassVar[str] = "ring"
    shorthand: ClassVar[str] = "for"
    bare: ClassVar[bool] = True
    takes_time: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    for_: Seconds = Field(default=2.0, alias="for")
    """How long."""
    play: Prompts = Field(default_factory=list)
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
