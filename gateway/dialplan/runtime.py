"""What the steps of a dialplan may do with a call.

The steps are pure: they await the verbs of a `CallControl`, which `gateway.calls` implements, and
decide by what comes back. A verb that cannot do its work raises `StepFailedError`; one during which
the call ends never returns (its own exception passes through the steps, which must not catch it).
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from gateway.core.record import CallKind, FieldValue

FailureKind = Literal[
    "backend_down",
    "caller_silent",
    "max_duration",
    "network_bad",
    "busy",
    "no_answer",
    "refused",
    "unreachable",
    "not_allowed",
    "not_possible",
    "timeout",
    "queue_full",
    "error",
]
"""backend_down: the agent's service failed · caller_silent, max_duration: limits of a conversation ·
network_bad: the caller's line is unusable · busy, no_answer, refused, unreachable: what a called party
did · not_allowed: the configuration forbids the target · not_possible: the leg or the gateway cannot ·
timeout, queue_full · error: everything else (a prompt that cannot be read, an HTTP status)."""

DialStrategy = Literal["all", "order", "round_robin"]


class StepFailedError(Exception):
    """A step could not do its work. `kind` picks the handler, the message is for the timeline."""

    def __init__(self, kind: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.kind: FailureKind = kind


@dataclass(frozen=True, slots=True)
class Say:
    """Words for the synthesiser."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Sound:
    """A WAV file (16 bit PCM, mono or stereo, any usual sample rate)."""

    path: Path


Prompt = Say | Sound


@dataclass(frozen=True, slots=True)
class GatherRequest:
    """Ask for digits."""

    prompt: tuple[Prompt, ...]
    """Played until the first key."""
    max_digits: int
    timeout_s: float
    """From the end of the prompt to the first digit."""
    between_s: float
    """From one digit to the next."""
    end_keys: str = "#"
    """A key that ends the entry and is not part of it."""


@dataclass(frozen=True, slots=True)
class ChoiceRequest:
    """Let an agent find out by speech which of several options the caller wants."""

    agent: str
    options: Mapping[str, str]
    """Option to what the caller may mean by it."""
    prompt: tuple[Prompt, ...]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class TalkRequest:
    """Connect the caller with an agent."""

    agent: str
    max_duration_s: float | None = None
    silence_s: float | None = None
    """Caller and agent silent for this long: `caller_silent`."""
    instructions: str = ""
    """In the place of the agent's own."""
    allow: tuple[str, ...] = ()
    """Targets to which the agent may transfer the caller."""
    mind_network: bool = False
    """Break off with `network_bad` when the caller's line is so bad that nothing helps."""
    also: str = ""
    """More instructions, behind those or the agent's own."""


@dataclass(frozen=True, slots=True)
class DialRequest:
    """Call people and join the first who answers with the caller."""

    targets: tuple[str, ...]
    """As `gateway.core.targets.parse_target` reads them."""
    ring_s: float
    strategy: DialStrategy = "all"
    caller_id: str = ""
    """Number shown to them; empty: the caller's where the trunk allows it."""
    hears: Prompt | None = None
    """Played to the caller meanwhile; None: a ringing tone."""
    key: str = ""
    """Remembers whose turn it is (round robin): the place of the step in the plan."""


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """Call somebody later, and let the plan's routes for outbound calls serve them."""

    target: str
    """As `gateway.core.targets.parse_target` reads them; a phone."""
    after_s: float
    tries: int
    every_s: float
    """From one try to the next."""
    ring_s: float
    caller_id: str = ""
    """Number shown to them; empty: the one that was dialled, where the trunk allows it."""


@dataclass(frozen=True, slots=True)
class QueueRequest:
    """Wait for one of several people, the longest waiting caller first."""

    name: str
    targets: tuple[str, ...]
    ring_s: float
    strategy: DialStrategy
    max_wait_s: float
    max_length: int
    max_active: int
    """Conversations from this queue at the same time."""
    music: Prompt | None
    position_every_s: float | None
    """How often the place in the queue is said."""
    language: str


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """Record the caller."""

    max_s: float
    silence_s: float
    """Ends after this much silence."""
    end_keys: str
    beep: bool
    mailbox: str
    """Directory below the recordings' directory; a name, no path."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished recording."""

    path: str
    duration_s: float
    by: Literal["silence", "key", "limit"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a service of the operator's."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    """Sent as JSON."""
    timeout_s: float
    max_bytes: int = 65536
    any_json: bool = False
    """Of an answer that is no JSON object, `HttpReply.body` has the value as `result`."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """Its answer, status 200 to 299."""

    status: int
    body: Mapping[str, object]
    """A JSON object; anything else is a failure of kind `error`, unless any JSON was asked for."""


@dataclass(frozen=True, slots=True)
class CallFactsView:
    """What a plan may look at."""

    kind: CallKind
    direction: Literal["inbound", "outbound"]
    to_number: str
    """As dialled; personal data."""
    from_number: str
    """Personal data."""
    trunk: str = ""
    """Name of the trunk it came by; empty if none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the request, names in lower case, the first of each; personal data."""
    agent: str = ""
    """Agent asked for by name (WebRTC); empty if none."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the call brought along (a dialler, a browser); personal data."""
    call_id: str = ""
    """The gateway's own; shares go by it where the caller has no number."""


class CallControl(Protocol):
    """A call, as the steps of its plan see it."""

    @property
    def facts(self) -> CallFactsView:
        """What is known from its beginning."""

    @property
    def variables(self) -> MutableMapping[str, str]:
        """Read as ${name}; personal data."""

    @property
    def answered(self) -> bool:
        """Whether the caller's side has been answered."""

    def now(self) -> datetime:
        """Wall clock, aware."""

    def monotonic(self) -> float:
        """Seconds, for limits."""

    def broken(self, reason: str) -> None:
        """The plan cannot go on: the call counts as failed, and why."""

    def note(self, step: str, **fields: FieldValue) -> None:
        """Write a step into the timeline."""

    async def ring(self, early: Prompt | None = None) -> None:
        """Ring the caller; a prompt is played as early media where the leg can, until the answer."""

    async def answer(self) -> None:
        """Answer if that has not happened yet. All verbs with audio do it by themselves."""

    async def play(self, prompts: tuple[Prompt, ...], *, interrupt_keys: str = "") -> str:
        """Play to the end, or to one of the keys, which is returned; else empty."""

    async def gather(self, request: GatherRequest) -> str:
        """Digits of the caller; empty if none came in time."""

    async def choose(self, request: ChoiceRequest) -> str:
        """The option that the caller wants; empty if none was found out in time."""

    async def talk(self, request: TalkRequest) -> str:
        """Until the agent ends the conversation; returns the reason it gave, or empty."""

    async def dial(self, request: DialRequest) -> None:
        """Until the called party hangs up. Kinds: busy, no_answer, refused, unreachable, not_allowed."""

    def call_back(self, request: CallbackRequest) -> None:
        """Put a call in the queue, and return at once. Kinds: not_allowed, not_possible."""

    async def refer(self, target: str) -> None:
        """Hand the caller's phone over to a target by REFER; on success the call ends."""

    async def queue(self, request: QueueRequest) -> None:
        """Until the conversation with a person has ended. Raises timeout and queue_full, too."""

    async def record(self, request: RecordRequest) -> Recorded:
        """Record the caller into a file."""

    async def send_dtmf(self, digits: str) -> None:
        """Send digits to the caller's side."""

    async def wait(self, seconds: float) -> None:
        """Let time pass; the caller hears silence."""

    async def http(self, request: HttpRequest) -> HttpReply:
        """Ask a service. Raises kinds timeout and error."""

    def notify(self, request: HttpRequest) -> None:
        """Tell a service without waiting for it."""

    async def reject(self, status: int, reason: str) -> None:
        """Refuse the call with a SIP status; only before the answer. Never returns."""

    async def hang_up(self) -> None:
        """End the call. Never returns."""
