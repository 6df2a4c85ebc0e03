"""A call whose verbs answer from a script and are written down."""

from collections import deque
from collections.abc import MutableMapping
from datetime import UTC, datetime

from gateway.core.record import FieldValue
from gateway.dialplan.runtime import (
    CallbackRequest,
    CallFactsView,
    ChoiceRequest,
    DialRequest,
    FailureKind,
    GatherRequest,
    HttpReply,
    HttpRequest,
    Prompt,
    QueueRequest,
    Recorded,
    RecordRequest,
    Say,
    StepFailedError,
    TalkRequest,
)


class CallEndedError(Exception):
    """How a real call leaves the steps."""


class ScriptedCall:
    """Implements `CallControl`. `script` holds, by verb, what comes back: a value or a failure."""

    def __init__(
        self, facts: CallFactsView | None = None, at: datetime | None = None, **script: list[object]
    ) -> None:
        self.facts = facts or CallFactsView("sip", "inbound", "+4930123", "+49301")
        self.variables: MutableMapping[str, str] = {}
        self.answered = False
        self.done: list[tuple[object, ...]] = []
        self.notes: list[tuple[str, dict[str, FieldValue]]] = []
        self._at = at or datetime(2026, 11, 23, 9, tzinfo=UTC)
        self._script = {verb: deque(answers) for verb, answers in script.items()}

    def _do(self, verb: str, *details: object) -> object:
        self.done.append((verb, *details))
        answers = self._script.get(verb)
        answer = answers.popleft() if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _text(self, verb: str, *details: object) -> str:
        answer = self._do(verb, *details)
        return answer if isinstance(answer, str) else ""

    @property
    def verbs(self) -> list[str]:
        """What was done, without details."""
        return [str(done[0]) for done in self.done]

    @property
    def said(self) -> list[str]:
        """Words and files that the caller heard."""
        prompts = [prompt for done in self.done if done[0] == "play" for prompt in done[1]]  # type: ignore[attr-defined]
        return [prompt.text if isinstance(prompt, Say) else prompt.path.name for prompt in prompts]

    def now(self) -> datetime:
        """As the protocol says."""
        return self._at

    def monotonic(self) -> float:
        """As the protocol says."""
        return 0.0

    def note(self, step: str, **fields: FieldValue) -> None:
        """As the protocol says."""
        self.notes.append((step, fields))

    async def ring(self, early: Prompt | None = None) -> None:
        """As the protocol says."""
        self._do("ring", early)

    async def answer(self) -> None:
        """As the protocol says."""
        self._do("answer")
        self.answered = True

    async def play(self, prompts: tuple[Prompt, ...], *, interrupt_keys: str = "") -> str:
        """As the protocol says."""
        self.answered = True
        return self._text("play", prompts, interrupt_keys)

    async def gather(self, request: GatherRequest) -> str:
        """As the protocol says."""
        return self._text("gather", request)

    async def choose(self, request: ChoiceRequest) -> str:
        """As the protocol says."""
        return self._text("choose", request)

    async def talk(self, request: TalkRequest) -> str:
        """As the protocol says."""
        return self._text("talk", request)

    async def dial(self, request: DialRequest) -> None:
        """As the protocol says."""
        self._do("dial", request)

    def call_back(self, request: CallbackRequest) -> None:
        """As the protocol says."""
        self._do("call_back", request)

    async def refer(self, target: str) -> None:
        """As the protocol says."""
        self._do("refer", target)

    async def queue(self, request: QueueRequest) -> None:
        """As the protocol says."""
        self._do("queue", request)

    async def record(self, request: RecordRequest) -> Recorded:
        """As the protocol says."""
        self._do("record", request)
        return Recorded("recordings/voicemail/1.wav", 3.25, "silence")

    def broken(self, reason: str) -> None:
        """Remember why."""
        self.broken_because = reason

    async def send_dtmf(self, digits: str) -> None:
        """As the protocol says."""
        self._do("send_dtmf", digits)

    async def wait(self, seconds: float) -> None:
        """As the protocol says."""
        self._do("wait", seconds)

    async def http(self, request: HttpRequest) -> HttpReply:
        """As the protocol says."""
        answer = self._do("http", request)
        return answer if isinstance(answer, HttpReply) else HttpReply(200, {})

    def notify(self, request: HttpRequest) -> None:
        """As the protocol says."""
        self._do("notify", request)

    async def reject(self, status: int, reason: str) -> None:
        """As the protocol says."""
        self._do("reject", status, reason)
        raise CallEndedError

    async def hang_up(self) -> None:
        """As the protocol says."""
        self._do("hang_up")
        raise CallEndedError


def failure(kind: FailureKind, reason: str = "it did not work") -> StepFailedError:
    """For a script."""
    return StepFailedError(kind, reason)
