"""Settings of a session: what `session.update` may change, and how they are shown to the client. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.bot.protocol import ProtocolError
from gateway.core.audio import WireFormat

VOICE: Final = "embedded"

_FORMAT_NAMES: Final = {
    WireFormat.PCM24K: "audio/pcm",
    WireFormat.PCMU: "audio/pcmu",
    WireFormat.PCMA: "audio/pcma",
}
_FORMATS: Final = {name: wire for wire, name in _FORMAT_NAMES.items()}

_SESSION_FIELDS: Final = frozenset(
    {"type", "id", "object", "model", "instructions", "output_modalities", "audio", "tools", "tool_choice"}
    | {"include", "max_output_tokens", "parallel_tool_calls", "prompt", "reasoning", "tracing", "truncation"}
)

Numbers = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """Server VAD: who decides when the caller begins and stops to speak."""

    threshold: float = 0.5
    """Speech probability from which a chunk counts."""
    prefix_padding_ms: int = 300
    """Audio before the onset that belongs to the turn."""
    silence_duration_ms: int = 500
    """Silence that ends a turn."""
    create_response: bool = True
    """Answer at the end of a turn."""
    interrupt_response: bool = True
    """Stop answering at the start of a turn."""
    idle_timeout_ms: int | None = None
    """Silence after an answer has been heard that makes the bot ask again."""

    def describe(self) -> dict[str, Any]:
        """As the protocol shows it."""
        return {
            "type": "server_vad",
            "threshold": self.threshold,
            "prefix_padding_ms": self.prefix_padding_ms,
            "silence_duration_ms": self.silence_duration_ms,
            "create_response": self.create_response,
            "interrupt_response": self.interrupt_response,
            "idle_timeout_ms": self.idle_timeout_ms,
        }


_LIMITS: Final[Mapping[str, Numbers]] = {
    "threshold": (0.0, 1.0),
    "prefix_padding_ms": (0, 5000),
    "silence_duration_ms": (100, 10000),
    "idle_timeout_ms": (5000, 30000),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Effective settings of one session."""

    input_format: WireFormat = WireFormat.PCM24K
    output_format: WireFormat = WireFormat.PCM24K
    turn_detection: TurnDetection | None = TurnDetection()
    """None: the client commits turns and asks for answers itself."""
    transcription: Mapping[str, Any] | None = None
    """None: don't report what the caller said."""
    instructions: str = ""
    """Kept and shown; the dialogue file decides what is said."""
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = "auto"
    voice: str = VOICE
    speed: float = 1.0

    def may_call(self, name: str) -> bool:
        """Whether the dialogue may call this function; a client that declares none gets them all."""
        if self.tool_choice == "none":
            return False
        return not self.tools or any(tool.get("name") == name for tool in self.tools)

    def describe(self, session_id: str, model: str) -> dict[str, Any]:
        """The session object of `session.created` and `session.updated`."""
        turn_detection = self.turn_detection.describe() if self.turn_detection else None
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": self.instructions,
            "tools": list(self.tools),
            "tool_choice": self.tool_choice,
            "max_output_tokens": "inf",
            "audio": {
                "input": {
                    "format": format_object(self.input_format),
                    "transcription": self.transcription,
                    "noise_reduction": None,
                    "turn_detection": turn_detection,
                },
                "output": {
                    "format": format_object(self.output_format),
                    "voice": self.voice,
                    "speed": self.speed,
                },
            },
        }


def format_object(wire: WireFormat) -> dict[str, Any]:
    """A format as the protocol writes it."""
    name: dict[str, Any] = {"type": _FORMAT_NAMES[wire]}
    return name | {"rate": 24000} if wire is WireFormat.PCM24K else name


def update(settings: Settings, session: Mapping[str, Any]) -> Settings:
    """Settings after a `session.update`; only what is named changes. Raises `ProtocolError`."""
    kind = session.get("type")
    if kind is None:
        raise ProtocolError(
            "missing_required_parameter", "Missing required parameter: 'session.type'.", param="session.type"
        )
    if kind != "realtime":
        raise _invalid("session.type", "only 'realtime' sessions are served")
    for field in session:
        if field not in _SESSION_FIELDS:
            name = f"session.{field}"[:80]
            raise ProtocolError("unknown_parameter", f"Unknown parameter: '{name}'.", param=name)
    if session.get("output_modalities") not in (None, ["audio"]):
        raise _invalid("session.output_modalities", "only ['audio'] is served")
    audio = _mapping(session, "audio", "session")
    settings = _input(settings, _mapping(audio, "input", "session.audio"))
    settings = _output(settings, _mapping(audio, "output", "session.audio"))
    instructions = session.get("instructions", settings.instructions)
    if not isinstance(instructions, str):
        raise _invalid("session.instructions", "expected a text")
    return replace(
        settings,
        instructions=instructions,
        tools=_tools(session["tools"]) if session.get("tools") is not None else settings.tools,
        tool_choice=session.get("tool_choice", settings.tool_choice),
    )


def _input(settings: Settings, given: Mapping[str, Any]) -> Settings:
    where = "session.audio.input"
    if given.get("format") is not None:
        settings = replace(settings, input_format=_format(given["format"], f"{where}.format"))
    if "transcription" in given:
        transcription = given["transcription"]
        if transcription is not None and not isinstance(transcription, dict):
            raise _invalid(f"{where}.transcription", "expected an object or null")
        settings = replace(settings, transcription=transcription)
    if "turn_detection" in given:
        turn_detection = _turn_detection(settings.turn_detection, given["turn_detection"])
        settings = replace(settings, turn_detection=turn_detection)
    return settings


def _output(settings: Settings, given: Mapping[str, Any]) -> Settings:
    where = "session.audio.output"
    if given.get("format") is not None:
        settings = replace(settings, output_format=_format(given["format"], f"{where}.format"))
    voice = given.get("voice", settings.voice)
    if voice is not None and isinstance(voice, str):
        settings = replace(settings, voice=voice)
    speed = given.get("speed", settings.speed)
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.25 <= speed <= 1.5:
        raise _invalid(f"{where}.speed", "expected a number from 0.25 to 1.5")
    return replace(settings, speed=float(speed))


def _turn_detection(current: TurnDetection | None, given: object) -> TurnDetection | None:
    where = "session.audio.input.turn_detection"
    if given is None:
        return None
    if not isinstance(given, dict):
        raise _invalid(where, "expected an object or null")
    if given.get("type", "server_vad") != "server_vad":
        raise _invalid(f"{where}.type", "only 'server_vad' or null is served")
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name == "type" or (name == "idle_timeout_ms" and value is None):
            continue
        if name in ("create_response", "interrupt_response"):
            if not isinstance(value, bool):
                raise _invalid(f"{where}.{name}", "expected true or false")
        elif name in _LIMITS:
            low, high = _LIMITS[name]
            numeric = isinstance(value, int if name.endswith("_ms") else int | float)
            if isinstance(value, bool) or not numeric or not low <= value <= high:
                raise _invalid(f"{where}.{name}", f"expected a number from {low:g} to {high:g}")
        else:
            param = f"{where}.{name}"[:120]
            raise ProtocolError("unknown_parameter", f"Unknown parameter: '{param}'.", param=param)
        changes[name] = value
    return replace(current or TurnDetection(), **changes)


def _format(given: object, where: str) -> WireFormat:
    name: Any = given.get("type") if isinstance(given, dict) else None
    wire = _FORMATS.get(name) if isinstance(name, str) else None
    if wire is None:
        raise _invalid(f"{where}.type", f"supported values are: {', '.join(_FORMATS)}")
    if wire is WireFormat.PCM24K and isinstance(given, dict) and given.get("rate", 24000) != 24000:
        raise _invalid(f"{where}.rate", "only 24000 is served")
    return wire


def _tools(given: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(given, list) or not all(isinstance(tool, dict) and "type" in tool for tool in given):
        raise _invalid("session.tools", "expected a list of tools, each with a type")
    return tuple(given)


def _mapping(parent: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(f"{where}.{name}", "expected an object")
    return value


def _invalid(param: str, expected: str) -> ProtocolError:
    return ProtocolError("invalid_value", f"Invalid '{param}': {expected}.", param=param)
