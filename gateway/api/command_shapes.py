"""What a client says when it steers a call."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.api.wishes import MAX_TARGET_CHARS
from gateway.calls.checkpoint import AgentRole
from gateway.config.languages import LANGUAGE_CODE

Ai = Literal["leave", "listen", "speak"]

AGENT_ROLES: Final[dict[Ai, AgentRole]] = {"leave": "away", "listen": "listen", "speak": "speak"}

_Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TARGET_CHARS,
        description="tel:+NUMBER, sip:USER@TRUNK, NUMBER@TRUNK or webrtc:PERSON.",
    ),
]
_PartyKey = Annotated[str, Meta(min_length=1, max_length=64, description="A party's key.")]
_Text = Annotated[str, Meta(min_length=1, max_length=2000)]
_Language = Annotated[
    str, Meta(pattern=LANGUAGE_CODE, description="Such as en or pt-BR; default: the agent's.")
]


class RejectRequest(msgspec.Struct, frozen=True):
    """Refuse a call that waits for a decision."""

    status_code: Annotated[int, Meta(ge=400, le=699, description="SIP status.")] = 603


class ReferRequest(msgspec.Struct, frozen=True):
    """Tell the caller's phone to call somebody else."""

    target_uri: _Target


class _Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's own bodies have no room for misspelt fields."""


class PlayRequest(_Own, frozen=True):
    """Play a sound; one of `prompt` and `url`."""

    prompt: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    url: Annotated[str, Meta(min_length=1, max_length=2048)] | UnsetType = UNSET
    to: _PartyKey | UnsetType = UNSET


class SayRequest(_Own, frozen=True):
    """Say words, to all parties or to one."""

    text: _Text
    language: _Language | UnsetType = UNSET
    to: _PartyKey | UnsetType = UNSET


class WhisperRequest(_Own, frozen=True):
    """Say words to one party alone."""

    to: _PartyKey
    text: _Text
    language: _Language | UnsetType = UNSET


class DtmfRequest(_Own, frozen=True):
    """Press keys."""

    digits: Annotated[str, Meta(pattern="^[0-9A-D*#]{1,64}$")]
    to: _PartyKey | UnsetType = UNSET


class HoldRequest(_Own, frozen=True):
    """Put a party on hold, or take it back; default: the caller."""

    held: bool
    party: _PartyKey | UnsetType = UNSET


class MuteRequest(_Own, frozen=True):
    """The others don't hear a party, or do again."""

    party: _PartyKey
    muted: bool


class DropRequest(_Own, frozen=True):
    """Hang up on somebody who was called into the call."""

    party: _PartyKey


class BridgeRequest(_Own, frozen=True):
    """Call somebody into the call."""

    to: _Target
    ai: Annotated[Ai, Meta(description="What the agent does from then on.")] = "leave"
    ring_s: Annotated[float, Meta(ge=1, le=120)] = 30.0


class AgentRequest(_Own, frozen=True):
    """Let the agent speak, only listen, or leave for now."""

    ai: Ai


class RecordRequest(_Own, frozen=True):
    """Begin or end a recording of both sides."""

    action: Literal["start", "stop"]


class Played(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is being played."""

    duration_ms: int


class Bridged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who has joined."""

    party: Annotated[str, Meta(description="Key of the party, for hold, mute, whisper and drop.")]


class Recording(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the recording stands."""

    state: Literal["started", "ended"]
    duration_s: float | UnsetType = UNSET
