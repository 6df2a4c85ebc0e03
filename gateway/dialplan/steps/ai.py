"""`ai`: connect the caller with an agent."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from gateway.config.section import Expected, unfit
from gateway.core.targets import is_pattern
from gateway.dialplan.language.words import ONE_OR_MORE, AnyText, Seconds
from gateway.dialplan.runtime import CallControl, FailureKind, TalkRequest
from gateway.dialplan.step import FailingStep, Outcome, Reference, Scene, spoken_seconds

_TARGETS_EXPECTED: Final = "a target such as sip:op1@pbx, with X, Z, N for digits and a * at most at the end"


def _targets(text: str) -> str:
    if not is_pattern(text):
        raise unfit(_TARGETS_EXPECTED)
    return text


class AiStep(FailingStep):
    """Connect the caller with an agent, until the agent ends the conversation.

    The next step follows then, with the agent's reason in ${said}.
    """

    word: ClassVar[str] = "ai"
    shorthand: ClassVar[str] = "agent"
    bare: ClassVar[bool] = True
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = (
        "backend_down",
        "caller_silent",
        "max_duration",
        "network_bad",
        "not_possible",
        "error",
    )

    agent: AnyText | None = None
    """Agent of the configuration; default: the first one. May be "${split}"."""
    max_duration: Seconds | None = None
    """Longest conversation; then the failure `max_duration`."""
    instructions: AnyText = ""
    """In the place of the agent's own; may hold ${variables}."""
    also: AnyText = ""
    """More instructions, behind these or the agent's own; may hold ${variables}."""
    allow: Annotated[
        list[Annotated[str, AfterValidator(_targets), Expected(_TARGETS_EXPECTED)]],
        ONE_OR_MORE,
    ] = Field(default_factory=list)
    """Targets to which the agent may transfer the caller."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        if self.agent is not None:
            yield Reference("agent", self.agent, ("agent",))
        for index, targets in enumerate(self.allow):
            yield Reference("targets", targets, ("allow", index) if len(self.allow) > 1 else ("allow",))

    def describe(self) -> str:
        """As `Step` says."""
        limit = f", at most {spoken_seconds(self.max_duration)}" if self.max_duration else ""
        return f"{self.agent or '(first agent)'}{limit}"

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        silent = self.on.get("caller_silent")
        request = TalkRequest(
            scene.agent(self.agent),
            max_duration_s=self.max_duration,
            silence_s=silent.after if silent is not None else None,
            instructions=scene.text(self.instructions),
            also=scene.text(self.also),
            allow=tuple(self.allow),
            mind_network="network_bad" in self.on,
        )
        call.variables["said"] = await call.talk(request)
        return None
