"""What a client asks for when it makes a call: read from queries, sessions and SDP. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from gateway.calls.oai_requests import MAX_INSTRUCTIONS_CHARS
from gateway.core.secure_media import DIGESTS, is_secure, is_trusted

MAX_SDP_BYTES: Final = 64 << 10
MAX_TARGET_CHARS: Final = 256

_T = TypeVar("_T")

_Target = Annotated[str, Meta(max_length=MAX_TARGET_CHARS)]


class BadWishError(Exception):
    """The request cannot be carried out. `status`: the HTTP status that says it best."""

    def __init__(self, status: int, message: str, param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.param = param


class Session(msgspec.Struct, frozen=True):
    """The part of OpenAI's session object that a client decides; the rest is the agent's and ignored.

    `agent` and `to` are the gateway's own.
    """

    type: Literal["realtime"] = "realtime"
    model: _Target | None = None
    agent: _Target | None = None
    to: _Target | None = None
    instructions: Annotated[str, Meta(max_length=MAX_INSTRUCTIONS_CHARS)] | None = None


class ExpiresAfter(msgspec.Struct, frozen=True):
    """When a client secret ends."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Meta(ge=10, le=7200)] = 600


class SecretRequest(msgspec.Struct, frozen=True):
    """Body of POST /v1/realtime/client_secrets."""

    expires_after: ExpiresAfter = ExpiresAfter()
    session: Session = Session()


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the client wants."""

    to: str
    """An agent or a number; empty: whoever takes calls to no number in particular."""
    chosen: bool
    """Asked for by `to` or `agent`. A mere model's name may be one that only OpenAI knows."""


def read_session(text: bytes | str) -> Session:
    """A session as JSON. Raises `BadWishError`."""
    return read_as(text, Session, "session")


def read_as(text: bytes | str, shape: type[_T], what: str) -> _T:
    """JSON of this type; `what` names it in the error. Raises `BadWishError`."""
    try:
        return msgspec.json.decode(text, type=shape)
    except msgspec.ValidationError as exc:
        raise BadWishError(400, str(exc), what) from exc
    # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise BadWishError(400, "expected JSON", what) from exc


def choose_target(query: Mapping[str, str], session: Session, agents: Collection[str]) -> Target:
    """Whom a client wants, by the query first, then by the session. Raises `BadWishError`."""
    agent = query.get("agent", session.agent or "")
    if agent and agent not in agents:
        raise BadWishError(404, "there is no agent of this name", "agent")
    to = query.get("to", session.to or "")
    model = query.get("model", session.model or "")
    for name, value in (("to", to), ("model", model)):
        if len(value) > MAX_TARGET_CHARS or not value.isprintable():
            raise BadWishError(400, f"expected at most {MAX_TARGET_CHARS} printable characters", name)
    return Target(to or agent or model, chosen=bool(to or agent))


def bound_target(bound: str, wanted: Target, agents: Collection[str]) -> str:
    """Whom a client with a secret for `bound` gets. Raises `BadWishError` if it wants somebody else."""
    elsewhere = wanted.to != bound and (wanted.chosen or wanted.to in agents)
    if wanted.to and elsewhere:
        raise BadWishError(403, "the client secret is for another agent or number")
    return bound


def check_offer(sdp: str) -> None:
    """Refuse what can be no WebRTC offer of audio, so that no card has to. Raises `BadWishError`.

    Needed are: version and origin (RFC 8866 section 5), ICE and DTLS (RFC 8829 section 5.2.1), an
    audio section that is offered (port not 0) and encrypted, a fingerprint whose digest can be trusted,
    and one transport for all sections (BUNDLE).
    """
    lines = sdp.replace("\r\n", "\n").split("\n")
    if lines[0].strip() != "v=0" or not any(line.startswith("o=") for line in lines):
        raise BadWishError(400, "the body is not SDP", "sdp")
    media = [line[2:].split() for line in lines if line.startswith("m=")]
    audio = [words for words in media if len(words) >= 4 and words[0] == "audio" and words[1] != "0"]
    if not audio:
        raise BadWishError(422, "the offer has no audio", "sdp")
    if not any(is_secure(words[2]) for words in audio):
        raise BadWishError(422, "the offered audio is not encrypted: expected UDP/TLS/RTP/SAVPF", "sdp")
    for attribute in ("ice-ufrag", "ice-pwd", "fingerprint"):
        if not any(line.startswith(f"a={attribute}:") for line in lines):
            raise BadWishError(400, f"the offer has no a={attribute}", "sdp")
    fingerprints = [line[14:].split() for line in lines if line.startswith("a=fingerprint:")]
    if not any(len(words) == 2 and is_trusted(words[0]) for words in fingerprints):
        raise BadWishError(422, f"no fingerprint of the offer is one of {', '.join(DIGESTS)}", "sdp")
    if len(media) > 1 and not any(line.startswith("a=group:BUNDLE") for line in lines):
        raise BadWishError(422, "the offer does not bundle its sections into one transport (BUNDLE)", "sdp")
