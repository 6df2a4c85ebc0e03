"""The backend contract: what a bridge may ask of any AI voice service.

A backend belongs to one call. Audio in both directions is PCM at the leg's sample rate
(`BackendContext.pcm_format`); converting to what the service wants is the backend's business.
Everything runs on the core's event loop; callbacks are synchronous and must not block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from gateway.core.audio import PcmFormat
from gateway.core.ids import CallId
from gateway.errors import RemoteError


@dataclass(frozen=True, slots=True)
class Utterance:
    """One finished thing somebody said; the unit of the transcript and of its replay."""

    role: Literal["caller", "agent"]
    text: str
    """Personal data: never in a log message."""


@dataclass(frozen=True, slots=True)
class BackendContext:
    """What a backend knows of the call it serves."""

    call_id: CallId
    agent: str
    """Name of the agent in the configuration."""
    pcm_format: PcmFormat
    """Format of `send_audio` and `on_audio`."""
    variables: Mapping[str, str]
    """Facts about the call (dialled number, caller, digits, ...) as they are now; personal data."""
    narrow: bool = False
    """The service's connection was slow: begin as after `Backend.narrow(True)`."""


@dataclass(frozen=True, slots=True)
class BackendCapabilities:
    """What the service does by itself, and what the gateway must do for it."""

    turn_events: bool
    """It reports the caller's start and end of speech."""
    interruptible: bool
    """It sends ahead of real time, so that playout has to be flushed at a barge-in."""
    truncation: bool
    """It can be told how much of an answer was heard."""
    history: bool
    """A transcript can be replayed into a new session."""
    answers: bool = True
    """It says where an answer begins and ends (`ResponseStarted`, `ResponseDone`)."""
    transcripts: bool = True
    """It writes down what is said."""
    tools: bool = True
    """Its model can be given functions to call."""


# ---- events --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The service heard the caller begin to speak; this is the barge-in signal."""

    item_id: str


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The service decided that the caller's turn is over."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """An answer is being made."""

    response_id: str


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """No more audio of this answer will come (it may still be playing)."""

    response_id: str
    status: Literal["completed", "cancelled", "failed", "incomplete"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AudioDone:
    """All audio of one item has been delivered."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words of either side, for captions (`final` False) and for the record (True).

    A final transcript carries the whole text of the item, a partial one only what was added.
    """

    item_id: str
    utterance: Utterance
    final: bool


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The model wants something done; answer with `send_tool_result`."""

    call_id: str
    name: str
    arguments: str
    """JSON text as the model wrote it; not yet checked."""


@dataclass(frozen=True, slots=True)
class ServiceNotice:
    """The service complained about something, and the session goes on."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ClearPlayout:
    """The agent takes back what it said and what has not been heard yet: silence it now.

    The service knows already what is thrown away; `interrupt` and `truncate` need not tell it.
    """


@dataclass(frozen=True, slots=True)
class HungUp:
    """The agent ended the conversation; what it said is still to be heard. `BackendLost` follows."""


@dataclass(frozen=True, slots=True)
class BackendLost:
    """The session is over and nothing more will come; `error.retryable` says whether to reconnect."""

    error: "BackendError"


BackendEvent = (
    SpeechStarted
    | SpeechStopped
    | ResponseStarted
    | ResponseDone
    | AudioDone
    | Transcript
    | FunctionCall
    | ServiceNotice
    | ClearPlayout
    | HungUp
    | BackendLost
)

# ---- requests of a peer that has a screen ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserText:
    """The caller wrote something instead of saying it; no answer is asked for."""

    item_id: str
    text: str
    """Personal data."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """Take the place of the agent's system prompt for the rest of the session."""

    text: str


@dataclass(frozen=True, slots=True)
class WantAnswer:
    """Answer now; `instructions` hold for this answer alone."""

    instructions: str = ""


@dataclass(frozen=True, slots=True)
class ForgetInput:
    """Forget the caller's audio of the present turn."""


ClientRequest = UserText | Instructions | WantAnswer | ForgetInput

FaultKind = Literal["unreachable", "refused", "lost", "protocol", "expired"]
"""unreachable: no connection · refused: key, model or quota · lost: closed or silent mid-call ·
protocol: rubbish from the peer · expired: the service's own session limit."""


class BackendError(RemoteError):
    """A session could not be opened or was lost. The message names the URL without secrets."""

    def __init__(self, kind: FaultKind, message: str, *, retryable: bool) -> None:
        super().__init__(message, retryable=retryable)
        self.kind: FaultKind = kind


@dataclass(frozen=True, slots=True)
class BackendHealth:
    """A session's connection at one moment."""

    backlog_ms: float
    """Caller's audio waiting to be sent."""
    dropped_ms: float
    """Of it thrown away since the session began."""
    ping_ms: float | None
    """Last round trip (WebSocket ping); None before the first."""
    unanswered_s: float
    """Age of the oldest ping without an answer; 0 when there is none."""


WELL: Final = BackendHealth(0.0, 0.0, None, 0.0)
"""Of a session without a connection."""


class BackendSink(Protocol):
    """Whoever owns a backend."""

    def on_backend_audio(self, item_id: str, pcm: bytes) -> None:
        """Answer audio, any length, usually much faster than real time. Hot path."""

    def on_backend_event(self, event: BackendEvent) -> None:
        """Anything else; `BackendLost` is the last one."""


class Backend(Protocol):
    """One session with an AI voice service."""

    @property
    def capabilities(self) -> BackendCapabilities:
        """What the service can do."""

    def describe(self) -> str:
        """Service and URL in one line, without secrets."""

    async def open(self, sink: BackendSink, history: Sequence[Utterance] = ()) -> None:
        """Connect and configure; returns when audio can flow. Raises `BackendError`.

        `history` is said to have happened before (a reconnected call). Nothing is spoken until
        `greet` or the caller's first turn.
        """

    def greet(self) -> None:
        """Let the agent speak first."""

    def resume(self) -> None:
        """Ask for an answer now, after a reconnect in the middle of the caller's turn."""

    def catch_up(self, said: Sequence[Utterance]) -> None:
        """What was said with another session since this one was opened; nothing is to be answered yet."""

    def send_audio(self, pcm: bytes) -> None:
        """The caller's audio: 20 ms, or all that a lost session has not understood. Hot path.

        Never blocks: a backlog beyond 200 ms drops its oldest, counted.
        """

    def interrupt(self, item_id: str) -> None:
        """The caller barged in: cancel what is being answered and ignore the rest of `item_id`."""

    def truncate(self, item_id: str, played_ms: int) -> None:
        """Of `item_id` this much has reached the caller's ear; clamped to what was received."""

    def played(self, item_id: str) -> None:
        """All of `item_id` has been played to the caller; items are played in the order they came."""

    def send_dtmf(self, digit: str) -> None:
        """The caller pressed a key."""

    def send_tool_result(self, call_id: str, output: str) -> None:
        """Result of a `FunctionCall`; the service then goes on answering."""

    def tell(self, request: ClientRequest) -> None:
        """The caller's page wants something; what the service cannot do has no effect."""

    def narrow(self, on: bool) -> bool:
        """Take little of the network, or as much as at first, from the next chance on; False if it cannot."""

    @property
    def dropped_ms(self) -> float:
        """Caller audio dropped because the connection was too slow."""

    def health(self) -> BackendHealth:
        """How the connection does now; asked several times a second."""

    async def close(self) -> None:
        """End the session; idempotent, never raises."""
