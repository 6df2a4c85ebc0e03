"""`callback`: call the caller back later."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.config.section import NO_TRUTH_VALUE
from gateway.dialplan.language.words import AnyText, Seconds, at_most
from gateway.dialplan.runtime import CallbackRequest, CallControl, FailureKind
from gateway.dialplan.step import FailingStep, Outcome, Reference, Scene, spoken_seconds
from gateway.dialplan.steps.bridge import target_text


class CallbackStep(FailingStep):
    """Queue a call to the caller, or to somebody else, and go on at once.

    Whoever answers is served by the routes for `kind: outbound`, with the variables of this call and an
    agent that knows what was said in it. Queued calls do not outlive the gateway.
    """

    word: ClassVar[str] = "callback"
    shorthand: ClassVar[str] = "to"
    fails: ClassVar[tuple[FailureKind, ...]] = ("not_allowed", "not_possible", "error")

    to: Annotated[str, Field(min_length=1, max_length=256)]
    """Target such as sip:${from}@pbx."""
    after: Annotated[Seconds, at_most(86_400, "24h")] = 10.0
    """How long to wait before the first try: the caller has to hang up, and the network to recover."""
    tries: Annotated[int, Field(ge=1, le=10), NO_TRUTH_VALUE] = 3
    """How often to try until somebody answers."""
    every: Annotated[Seconds, at_most(86_400, "24h")] = 120.0
    """From one try to the next."""
    ring: Annotated[Seconds, at_most(300, "5m")] = 30.0
    """How long the target rings."""
    caller_id: AnyText = ""
    """Number shown to the target; default: the one that was dialled, where the trunk allows it."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield Reference("target", self.to, ("to",))

    def describe(self) -> str:
        """As `Step` says."""
        return f"{self.to} in {spoken_seconds(self.after)}, up to {self.tries} times"

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        call.call_back(
            CallbackRequest(
                target_text(self.to, scene),
                self.after,
                self.tries,
                self.every,
                self.ring,
                scene.text(self.caller_id),
            )
        )
        return None
