"""`voicemail`: a greeting, a tone, a recording, and the end of the call."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from gateway.dialplan.language.words import Keys, Name, Seconds
from gateway.dialplan.runtime import CallControl, FailureKind, RecordRequest
from gateway.dialplan.step import (
    FailingStep,
    Outcome,
    Prompts,
    Reference,
    Scene,
    prompt_references,
    spoken_seconds,
)


class VoicemailStep(FailingStep):
    """Take a message and end the call."""

    word: ClassVar[str] = "voicemail"
    shorthand: ClassVar[str] = "to"
    bare: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    to: Name = "voicemail"
    """Mailbox: a directory among the recordings."""
    greeting: Prompts = Field(default_factory=list)
    """Played first."""
    max: Seconds = 120.0
    """Longest message."""
    silence: Seconds = 5.0
    """Silence that ends it."""
    end_keys: Keys = "#"
    """Keys that end it."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from prompt_references(self.greeting, "greeting")

    def describe(self) -> str:
        """As `Step` says."""
        return f"to {self.to}, at most {spoken_seconds(self.max)}"

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        if self.greeting:
            await call.play(scene.prompts(self.greeting))
        done = await call.record(RecordRequest(self.max, self.silence, self.end_keys, True, self.to))
        call.variables["recording"] = done.path
        call.note("recorded", duration_s=round(done.duration_s, 1), by=done.by)
        await call.hang_up()
        return None
