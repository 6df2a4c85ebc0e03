"""`queue`: let the caller wait for one of several people."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.config.section import NO_TRUTH_VALUE
from gateway.dialplan.language.words import Language, Name, Seconds
from gateway.dialplan.runtime import (
    CallControl,
    DialStrategy,
    FailureKind,
    QueueRequest,
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
from gateway.dialplan.steps.bridge import DIAL_FAILURES, target_text


class QueueStep(CallingStep):
    """Wait in a queue, the longest waiting caller first; the call ends with the conversation.

    Steps with the same `name` are the same queue.
    """

    word: ClassVar[str] = "queue"
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

    def references(self) -> Iterator[Reference]:
        """As `Step` says."""
        yield from target_references(self.to, "to")
        yield from prompt_references(self.music, "music")

    def describe(self) -> str:
        """As `Step` says."""
        return f"{self.name}: {', '.join(self.to)}, at most {spoken_seconds(self.max_wait)}"

    async def connect(self, call: CallControl, scene: Scene) -> None:
        """As `CallingStep` says."""
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
        await call.queue(request)
