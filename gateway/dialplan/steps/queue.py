"""`queue`: let the caller wait for one of several people."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.config.section import NO_TRUTH_VALUE
from gateway.dialplan.language.words import Action, Language, Name, Seconds
from gateway.dialplan.runtime import (
    CallControl,
    DialStrategy,
    FailureKind,
    QueueRequest,
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
from gateway.dialplan.steps.bridge import DIAL_FAILURES, target_text


class QueueStep(FailingStep):
    """Wait in a queue, the longest waiting caller first; the call ends with the conversation.

    Steps with the same `name` are the same queue.
    """

    word: ClassVar[str] = "queue"
    ends: ClassVar[bool] = True
    takes_time: ClassVar[bool] = True
    audible: ClassVar[bool] = True
    fails: ClassVar[tuple[FailureKind, ...]] = ("timeout", "queue_full", *DIAL_FAILURES)

    name: Name
    """Name of the queue."""
    to: Targets
    """Who takes calls from it."""
    ring: Seconds = 20.0
    """How long somebody's phone rings before the next one's."""
    strategy: DialStrategy = "round_robin"
    """In which order they are called, as for bridge."""
    max_wait: Seconds = 600.0
    """Longest wait; then the failure `timeout`."""
    max_length: Annotated[int, Field(ge=1, le=1000), NO_TRUTH_VALUE] = 50
    """Waiting callers; beyond them the failure `queue_full`."""
    max_active: Annotated[int, Field(ge=1, le=1000), NO_TRUTH_VALUE] = 100
    """Conversations from this queue at the same time."""
    music: Prompts = Field(default_factory=list, max_length=1)
    """What the caller hears, again and again; default: a ringing tone."""
    position_every: Seconds | None = None
    """How often the place in the queue is said; default: never."""
    language: Language | None = None
    """Language of that; default: `defaults.language`."""
    else_: Action = Field(default=None, alias="else")
    """What to do about a failure that no handler in `on` is for: the overflow."""

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from target_references(self.to, "to")
        yield from prompt_references(self.music, "music")

    def branches(self) -> Iterator[BranchSpec]:
        """As `Step` says."""
        yield from super().branches()
        if self.else_ is not None:
            yield BranchSpec("else", ("else",), self.else_)

    def describe(self) -> str:
        """As `Step` says."""
        return f"{self.name}: {', '.join(self.to)}, at most {spoken_seconds(self.max_wait)}"

    async def run(self, call: CallControl, scene: Scene) -> Outcome:
        """As `Step` says."""
        request = QueueRequest(
            name=self.name,
            targets=tuple(target_text(target, scene) for target in self.to),
            ring_s=self.ring,
            strategy=self.strategy,
            max_wait_s=self.max_wait,
            max_length=self.max_length,
            max_active=self.max_active,
            music=next(iter(scene.prompts(self.music)), None),
            position_every_s=self.position_every,
            language=self.language or scene.language,
        )
        try:
            await call.queue(request)
        except StepFailedError as failure:
            if self.else_ is None or failure.kind in self.on:
                raise
            call.note("queue failed", kind=failure.kind, reason=str(failure))
            return Branch("else")
        await call.hang_up()
        return None
