"""`record`: record what the caller says."""

from typing import ClassVar

from gateway.dialplan.language.words import Keys, Name, Seconds
from gateway.dialplan.runtime import CallControl, FailureKind, RecordRequest
from gateway.dialplan.step import FailingStep, Outcome, Scene, spoken_seconds


class RecordStep(FailingStep):
    """Record the caller into a file; its path is then in ${recording}."""

    word: ClassVar[str] = "record"
    shorthand: ClassVar[str] = "to"
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_possible", "error")

    to: Name = "voicemail"
    """Mailbox: a directory among the recordings."""
    max: Seconds = 120.0
    """Longest recording."""
    silence: Seconds = 5.0
    """Silence that ends it."""
    end_keys: Keys = "#"
    """Keys that end it."""
    beep: bool = True
    """Whether a tone tells the caller to speak."""

    def describe(self) -> str:
        """As `Step` says."""
        return f"to {self.to}, at most {spoken_seconds(self.max)}"

    async def run(self, call: CallControl, _scene: Scene) -> Outcome:
        """As `Step` says."""
        request = RecordRequest(self.max, self.silence, self.end_keys, self.beep, self.to)
        done = await call.record(request)
        call.variables["recording"] = done.path
        call.note("recorded", duration_s=round(done.duration_s, 1), by=done.by)
        return None
