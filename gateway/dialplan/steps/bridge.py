"""`bridge`: call people and join the first who answers with the caller."""

from collections.abc import Iterator
from typing import ClassVar, Final
from urllib.parse import quote

from pydantic import Field

from gateway.dialplan.language.words import AnyText, Seconds
from gateway.dialplan.runtime import (
    CallControl,
    DialRequest,
    DialStrategy,
    FailureKind,
)
from gateway.dialplan.step import (
    CallingStep,
    Prompts,
    Reference,
    Scene,
    Targets,
    prompt_references,
    spoken_seconds,
    target_references,
)

DIAL_FAILURES: Final[tuple[FailureKind, ...]] = (
    "busy",
    "no_answer",
    "refused",
    "unreachable",
    "not_allowed",
    "not_possible",
    "error",
)
"""What calling somebody may end with."""


def target_text(template: str, scene: Scene) -> str:
    """A target with its variables, whose values cannot change anything but the user part."""
    return scene.text(template, lambda value: quote(value, safe="+"))


class BridgeStep(CallingStep):
    """Call one or more targets; the call ends when the conversation with them has ended.

    Targets are users behind trunks (sip:op1@pbx), numbers (tel:+49…) and people at a browser
    (webrtc:op2). A target that the trunk's `allow` does not name fails with `not_allowed`.
    """

    word: ClassVar[str] = "bridge"
    shorthand: ClassVar[str] = "to"
    fails: ClassVar[tuple[FailureKind, ...]] = DIAL_FAILURES

    to: Targets
    """Whom to call."""
    ring: Seconds = 30.0
    """How long: all together (all), or each (order, round_robin)."""
    strategy: DialStrategy = "all"
    """all: everybody at once · order: one after the other · round_robin: as order, beginning with the
    one after whoever was called first the last time."""
    caller_id: AnyText = ""
    """Number shown to them; default: the caller's where the trunk allows it."""
    hears: Prompts = Field(default_factory=list, max_length=1)
    """What the caller hears meanwhile; default: a ringing tone."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from target_references(self.to, "to")
        yield from prompt_references(self.hears, "hears")

    def describe(self) -> str:
        """As `Step` says."""
        return f"{', '.join(self.to)} ({self.strategy}, {spoken_seconds(self.ring)})"

    async def connect(self, call: CallControl, scene: Scene) -> None:
        """As `CallingStep` says."""
        request = DialRequest(
            tuple(target_text(target, scene) for target in self.to),
            self.ring,
            self.strategy,
            scene.text(self.caller_id),
            next(iter(scene.prompts(self.hears)), None),
            scene.place,
        )
        await call.dial(request)
