"""What the turn tracker finds out on a caller's line. Times are monotonic seconds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CallerSpeechStarted:
    """The caller speaks, for certain."""

    onset_s: float
    """When the speech began, which is earlier than it was noticed."""


@dataclass(frozen=True, slots=True)
class CallerSpeechStopped:
    """The caller has been silent for a while."""

    end_s: float
    """When the last sound of speech ended."""


@dataclass(frozen=True, slots=True)
class PauseBot:
    """Stop playing now, and be ready to go on."""

    onset_s: float


@dataclass(frozen=True, slots=True)
class ResumeBot:
    """Go on where it stopped."""

    cause: Literal["backchannel", "noise"]
    paused_ms: float


@dataclass(frozen=True, slots=True)
class Backchannel:
    """The caller made a short sound of listening, and doesn't want the word."""

    onset_s: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The caller takes the word: drop what is left, truncate it, cancel it at the backend."""

    onset_s: float


@dataclass(frozen=True, slots=True)
class TalkOver:
    """The caller speaks into the agent's words, and the agent is not to be stopped."""

    onset_s: float


TurnEvent = (
    CallerSpeechStarted | CallerSpeechStopped | PauseBot | ResumeBot | Backchannel | BargeIn | TalkOver
)
