"""`bridge`: call people and join the first who answers with the caller."""

from collections.abc import Iterator
from typing import ClassVar, Final
from urllib.parse import quote

from pydantic import Field

from gateway.dialplan.language.words import Action, AnyText, Seconds
from gateway.dialplan.runtime import (
    CallControl,
    DialRequest,
    DialStrategy,
    FailureKind,
    StepFailedError,
)
from gateway.dialplan.step import (
    Branch,
    BranchSpec,
    FailingStep,
    Outcome,
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


class BridgeStep(FailingStep):
    """Call one or more targets; the call ends when the conversation with them has ended.

    Targets are users behind trunks (sip:op1@pbx), numbers (tel:+49…) and people at a browser
    (webrtc:op2). A target that the trunk's `allow` does not name fails with `not_allowed`.
    """

    word: ClassVar[str] = "bridge"
    shorthand: ClassVar[str] = "to"
    ends: ClassVar[bool] = True
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
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
    else_: Action = Field(default=None, alias="else")
    """What to do when nobody takes the call and no handler in `on` is for it."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from target_references(self.to, "to")
        yield from prompt_references(self.hears, "hears")

    def branches(self) -> Iterator[BranchSpec]:
        """As `Step` says."""
        yield from super().branches()
        if self.else_ is not None:
            yield BranchSpec("else", ("else",), self.else_)

    def describe(self) -> str:
        """As `Step` says."""
        return f"{', '.join(self.to)} ({self.strategy}, {spoken_seconds(self.ring)})"

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        request = DialRequest(
            tuple(target_text(target, scene) for target in self.to),
            self.ring,
            self.strategy,
            scene.text(self.caller_id),
            next(iter(scene.prompts(self.hears)), None),
            scene.place,
        )
        try:
            await call.dial(request)
        except StepFailedError as failure:
            if self.else_ is None or failure.kind in self.on:
                raise
            call.note("bridge failed", kind=failure.kind, reason=str(failure))
            return Branch("else")
        await call.hang_up()
        return None
