"""The softphone's script: one step a line, as a person at a phone would act. Pure.

    hear [SECONDS]             wait until the far end is audible
    silence [SECONDS]          wait until it is quiet or gone
    say FILE                   speak a recording to its end
    interrupt FILE [MS]        wait until the far end has been audible for MS, then speak over it
    tone HZ [MS]               a sine tone
    dtmf DIGITS                press keys
    pause SECONDS              do nothing, listening; the end of the call cuts it short
    hold / resume              put the far end on hold, take it back
    hangup                     end the call
    ended [SECONDS]            wait until the far end hangs up

SECONDS after a step that waits is how long it may take; a step that takes longer fails the script.
Empty lines, lines that begin with `#` and what follows a `#` between spaces are ignored.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from gateway.errors import LocalError

DEFAULT_WITHIN_S: Final = 10.0
DEFAULT_OVERLAP_MS: Final = 800
DEFAULT_TONE_MS: Final = 1000
_COMMENT: Final = re.compile(r"^\s*#.*|\s#\s.*")
DTMF_DIGITS: Final = "0123456789ABCD*#"


class ScriptError(LocalError):
    """A line that is no step; the message names the line and what was expected."""


@dataclass(frozen=True, slots=True)
class Hear:
    """Wait until the far end is audible."""

    within_s: float = DEFAULT_WITHIN_S


@dataclass(frozen=True, slots=True)
class Silence:
    """Wait until the far end is quiet."""

    within_s: float = DEFAULT_WITHIN_S


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a recording."""

    recording: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Speak a recording over the far end."""

    recording: str
    overlap_ms: int = DEFAULT_OVERLAP_MS
    """The far end has been audible for this long when we begin."""
    within_s: float = DEFAULT_WITHIN_S


@dataclass(frozen=True, slots=True)
class Tone:
    """A sine tone."""

    frequency_hz: float
    duration_ms: int = DEFAULT_TONE_MS


@dataclass(frozen=True, slots=True)
class PressKeys:
    """DTMF to the far end."""

    digits: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Listen without acting."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the far end, or take it back."""

    held: bool


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Wait until the far end hangs up."""

    within_s: float = DEFAULT_WITHIN_S


Step = Hear | Silence | Say | Interrupt | Tone | PressKeys | Pause | Hold | Hangup | Ended

_WAITING: Final[dict[str, type[Hear] | type[Silence] | type[Ended]]] = {
    "hear": Hear,
    "silence": Silence,
    "ended": Ended,
}

_USAGE: Final = {
    "hear": "hear [SECONDS]",
    "silence": "silence [SECONDS]",
    "say": "say FILE",
    "interrupt": "interrupt FILE [MS]",
    "tone": "tone HZ [MS]",
    "dtmf": "dtmf DIGITS",
    "pause": "pause SECONDS",
    "hold": "hold",
    "resume": "resume",
    "hangup": "hangup",
    "ended": "ended [SECONDS]",
}


def parse_script(text: str) -> tuple[Step, ...]:
    """All steps of a script. Raises `ScriptError` at the first bad line."""
    steps = (parse_step(line, number) for number, line in enumerate(text.splitlines(), 1))
    return tuple(step for step in steps if step is not None)


def parse_step(line: str, number: int = 1) -> Step | None:
    """One line; None if it holds no step. Raises `ScriptError`."""
    try:
        words = shlex.split(_COMMENT.sub("", line))
    except ValueError as exc:
        raise ScriptError(f"line {number}: {exc}") from exc
    if not words:
        return None
    usage = _USAGE.get(words[0])
    if usage is None:
        raise ScriptError(f"line {number}: unknown step {words[0]!r}, expected one of {', '.join(_USAGE)}")
    try:
        step = _build(words)
    except ValueError:
        step = None
    if step is None:
        raise ScriptError(f"line {number}: expected {usage!r}, not {line.strip()!r}")
    return step


def recordings_of(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Names of the recordings that a script speaks, each once."""
    return tuple(dict.fromkeys(s.recording for s in steps if isinstance(s, Say | Interrupt)))


def _build(words: list[str]) -> Step | None:
    match words:
        case ["hear" | "silence" | "ended" as name, *limit] if len(limit) <= 1:
            return _WAITING[name](_positive(limit[0]) if limit else DEFAULT_WITHIN_S)
        case ["say", recording]:
            return Say(recording)
        case ["interrupt", recording, *rest] if len(rest) <= 1:
            return Interrupt(recording, int(_positive(rest[0])) if rest else DEFAULT_OVERLAP_MS)
        case ["tone", frequency, *rest] if len(rest) <= 1:
            return Tone(_positive(frequency), int(_positive(rest[0])) if rest else DEFAULT_TONE_MS)
        case ["dtmf", digits] if digits and all(d in DTMF_DIGITS for d in digits):
            return PressKeys(digits)
        case ["pause", duration]:
            return Pause(_positive(duration))
        case ["hold" | "resume" as name]:
            return Hold(name == "hold")
        case ["hangup"]:
            return Hangup()
    return None


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 86400:
        raise ValueError(text)
    return value
