"""What the API answers with, as types. Calls are built in `call_json`; these say what is in them."""

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from gateway.core.ids import CallId
from gateway.core.record import CallKind, CallRecord, TimelineKind


class TimelineEntry(msgspec.Struct, frozen=True):
    """One thing that happened in a call, with fields of its own beside these; may hold personal data."""

    at_ms: Annotated[float, Meta(description="Milliseconds since the call began.")]
    kind: TimelineKind


class CallEvent(TimelineEntry, frozen=True):
    """Data of an event in a stream: an entry of a call's timeline, and the call's id."""

    call_id: CallId


class ShownParty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes part in a call in progress."""

    key: Annotated[str, Meta(description="Names the party in commands.")]
    kind: CallKind
    role: Literal["caller", "person"]
    held: bool
    muted: bool


_ALWAYS_KNOWN: Final = frozenset(
    {
        "id",
        "node",
        "sip_call_id",
        "direction",
        "kind",
        "from_number",
        "to_number",
        "peer",
        "route",
        "agent",
        "codec",
        "started_at",
        "answered_at",
        "setup_ms",
        "first_utterance_ms",
        "turns",
        "barge_ins",
        "reconnects",
        "recovered",
    }
)
"""Fields of the call record that a call in progress has as well."""


def _call() -> type[msgspec.Struct]:
    """The call record's own fields, so that nothing of it can be missing, and a few more."""
    moment = Annotated[datetime, Meta(tz=True)]
    in_json = {datetime: moment, datetime | None: moment | None}
    hints = {name: in_json.get(kind, kind) for name, kind in get_type_hints(CallRecord).items()}
    own = [(each.name, hints[each.name]) for each in fields(CallRecord) if each.name != "timeline"]
    first: list[tuple[str, Any]] = [
        ("object", Literal["call"]),
        ("live", Annotated[bool, Meta(description="Whether the call is in progress.")]),
        ("state", Annotated[str, Meta(description="`ended`, or what the call is doing.")]),
    ]
    first += [each for each in own if each[0] in _ALWAYS_KNOWN]
    later = [
        (name, Annotated[kind | msgspec.UnsetType, Meta(description="Known at the end.")], msgspec.UNSET)
        for name, kind in own
        if name not in _ALWAYS_KNOWN
    ]
    chain = Annotated[
        str | msgspec.UnsetType, Meta(description="The way of the audio of a call in progress, for people.")
    ]
    timeline = Annotated[
        list[TimelineEntry] | msgspec.UnsetType, Meta(description="When one call is asked for.")
    ]
    parties = Annotated[list[ShownParty] | msgspec.UnsetType, Meta(description="Of a call in progress.")]
    more = [
        ("chain", chain, msgspec.UNSET),
        ("parties", parties, msgspec.UNSET),
        ("timeline", timeline, msgspec.UNSET),
    ]
    return msgspec.defstruct(
        "Call",
        [*first, *later, *more],
        namespace={"__doc__": "A call, in progress or over; numbers and addresses are personal data."},
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
    )


Call: Final = _call()

CallList: Final = msgspec.defstruct(
    "CallList",
    [("object", Literal["list"]), ("data", list[Call])],  # type: ignore[valid-type]
    namespace={"__doc__": "Calls, those in progress first, then the latest that ended."},
    frozen=True,
    forbid_unknown_fields=True,
)


class SecretSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The session that a client secret is for."""

    type: str
    object: str
    id: str
    model: Annotated[str, Meta(description="The agent or number that the secret is bound to.")]
    instructions: str | None = None


class CreatedSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new client secret."""

    value: Annotated[str, Meta(description="The secret; it is shown this once.")]
    expires_at: Annotated[int, Meta(description="Unix time.")]
    session: SecretSession
    id: Annotated[str, Meta(description="Takes the secret back, unused.")]


class Problem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a request failed (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: Annotated[str, Meta(description="For people.")]
    param: Annotated[
        str | msgspec.UnsetType, Meta(description="The part of the request that it is about.")
    ] = msgspec.UNSET
