"""What a synthetic caller does, step by step. Plain data."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["speech", "interruption", "backchannel", "noise", "keys", "echo", "nothing"]
"""What a sound is to a listener: words for the agent, words into its speech, a word that only says "I am
listening", and what is no word at all. `keys` are DTMF tones in the audio, `echo` is the agent's own voice
25 dB lower, `nothing` is silence: it tells how often the agent pauses by itself."""

WORDLESS: tuple[Kind, ...] = ("backchannel", "noise", "keys", "echo", "nothing")
"""Kinds that must not stop the agent."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound of the caller."""

    name: str
    kind: Kind
    pcm: bytes = field(repr=False)
    """s16le, 8 kHz, whole frames of 20 ms."""
    onset_ms: float
    """First audible moment."""
    end_ms: float
    """Last audible moment."""
    echo_ms: float | None = None
    """How late the agent's voice comes back in it; None: no echo."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Until the agent has spoken and has been silent for a while."""

    within_s: float = 10.0
    """It is not waited longer for the agent's first sound."""
    silent_s: float = 0.7


@dataclass(frozen=True, slots=True)
class Say:
    """Speak into the silence."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class Over:
    """Sound into the agent's speech."""

    clip: Clip
    after_s: float
    """The agent has spoken for so long since this step began."""
    within_s: float = 8.0
    """The step is skipped if it does not come to that."""


@dataclass(frozen=True, slots=True)
class Press:
    """A key of the phone, as telephone-event (RFC 4733)."""

    key: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Say nothing, whatever the agent does."""

    duration_s: float


Act = Listen | Say | Over | Press | Quiet


@dataclass(frozen=True, slots=True)
class Script:
    """One call."""

    name: str
    acts: tuple[Act, ...]
    background: bytes = field(default=b"", repr=False)
    """s16le noise under everything, repeated; whole frames. Empty: digital silence."""
