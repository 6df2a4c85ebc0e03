"""What a call leaves with its card, so that a restarted core can take it over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from gateway.backends.contract import Utterance
from gateway.calls.conversation import Conversation
from gateway.calls.journal import CallFacts, Journal
from gateway.core.ids import CallId, CardId
from gateway.core.record import CallKind, Direction, FieldValue, TimelineEvent, TimelineKind
from gateway.errors import LocalError

MAX_KEPT_EVENTS: Final = 500
"""The last events of a longer timeline are kept."""


Stage = Literal["agent", "plan", "person"]
"""Whom the caller is with: an agent, the steps of the plan, a person."""

AgentRole = Literal["speak", "listen", "away"]
"""The agent's part among those who talk."""

_PARTY: Final = b"party "


class KeptRecording(msgspec.Struct, frozen=True, array_like=True):
    """A recording under way."""

    name: str
    """Of the file, in the directory of calls' recordings."""
    began_s: float
    """CLOCK_MONOTONIC seconds."""


class KeptParty(msgspec.Struct, frozen=True, array_like=True):
    """What the leg of somebody who was called into a call keeps."""

    call_id: CallId
    key: str
    """The party's, by which programs know it."""
    user: str = ""
    """Person at a browser; empty for a phone. Personal data."""
    ring_id: str = ""
    by: Literal["plan", "desk"] = "plan"
    """Who called them: a step of the plan or a tool of the agent's; or a program outside."""
    held: bool = False
    muted: bool = False
    holds_caller: bool = False
    """Whether they have put the caller on hold."""


_party: msgspec.msgpack.Decoder[KeptParty] = msgspec.msgpack.Decoder(KeptParty)


def pack_party(party: KeptParty) -> bytes:
    """As bytes on a card."""
    return _PARTY + msgspec.msgpack.encode(party)


def party_of(state: bytes) -> KeptParty | None:
    """What a called person's leg keeps; None for a caller's own leg. Raises `LocalError`."""
    if not state.startswith(_PARTY):
        return None
    try:
        return _party.decode(state[len(_PARTY) :])
    # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise LocalError(f"the state kept with a person's leg cannot be read: {exc}") from exc


class _Event(msgspec.Struct, frozen=True, array_like=True):
    at_ms: float
    kind: TimelineKind
    fields: dict[str, FieldValue]


class _Said(msgspec.Struct, frozen=True, array_like=True):
    role: Literal["caller", "agent"]
    text: str


class Checkpoint(msgspec.Struct, frozen=True):
    """The state of a call as bytes on a card; holds personal data, never leaves the machine."""

    id: str
    node: str
    sip_call_id: str
    from_number: str
    to_number: str
    peer: str
    card: int
    started_at: datetime
    started_s: float
    agent: str
    route: str
    answered_s: float | None
    codec: str
    recovered: int
    reconnects: int
    setup_ms: float | None
    first_utterance_ms: float | None
    response_delays_ms: list[float]
    barge_in_stops_ms: list[float]
    transcript: list[_Said]
    events: list[_Event]
    kind: CallKind = "sip"
    direction: Direction = "inbound"
    instructions: str = ""
    stage: Stage = "agent"
    recording: KeptRecording | None = None
    held: bool = False
    muted: bool = False
    agent_role: AgentRole = "speak"
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand in a call, beside what its journal says."""

    stage: Stage = "agent"
    recording: KeptRecording | None = None
    held: bool = False
    """The caller, by somebody here."""
    muted: bool = False
    """The caller."""
    agent_role: AgentRole = "speak"
    allow: tuple[str, ...] = ()
    """With whom the agent may connect the caller. Personal data."""


_ORDINARY: Final = Standing()
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Checkpoint] = msgspec.msgpack.Decoder(Checkpoint)


def pack(journal: Journal, standing: Standing = _ORDINARY) -> bytes:
    """The call's state now."""
    facts, figures = journal.facts, journal.figures
    return _encoder.encode(
        Checkpoint(
            id=facts.id,
            node=facts.node,
            sip_call_id=facts.sip_call_id,
            from_number=facts.from_number,
            to_number=facts.to_number,
            peer=facts.peer,
            card=facts.card,
            started_at=facts.started_at,
            started_s=facts.started_s,
            agent=figures.agent,
            route=figures.route,
            answered_s=figures.answered_s,
            codec=figures.codec,
            recovered=figures.recovered,
            reconnects=figures.reconnects,
            setup_ms=figures.setup_ms,
            first_utterance_ms=figures.first_utterance_ms,
            response_delays_ms=journal.meter.response_delays_ms,
            barge_in_stops_ms=journal.meter.barge_in_stops_ms,
            transcript=[_Said(said.role, said.text) for said in journal.conversation.utterances],
            events=[
                _Event(event.at_ms, event.kind, dict(event.fields))
                for event in journal.events[-MAX_KEPT_EVENTS:]
            ],
            kind=facts.kind,
            direction=facts.direction,
            instructions=figures.instructions,
            stage=standing.stage,
            recording=standing.recording,
            held=standing.held,
            muted=standing.muted,
            agent_role=standing.agent_role,
            allow=standing.allow,
        )
    )


def unpack(state: bytes) -> Checkpoint:
    """Raises `LocalError` when it is not a checkpoint of this version."""
    try:
        return _decoder.decode(state)
    # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise LocalError(f"the state kept with the leg cannot be read: {exc}") from exc


def standing_of(kept: Checkpoint) -> Standing:
    """How things stood."""
    return Standing(kept.stage, kept.recording, kept.held, kept.muted, kept.agent_role, kept.allow)


def facts_of(kept: Checkpoint) -> CallFacts:
    """The facts of the kept call."""
    return CallFacts(
        id=CallId(kept.id),
        kind=kept.kind,
        direction=kept.direction,
        node=kept.node,
        sip_call_id=kept.sip_call_id,
        from_number=kept.from_number,
        to_number=kept.to_number,
        peer=kept.peer,
        card=CardId(kept.card),
        started_at=kept.started_at,
        started_s=kept.started_s,
    )


def restore(journal: Journal, kept: Checkpoint) -> None:
    """Fill a new journal with what the call remembers."""
    figures = journal.figures
    figures.agent, figures.route, figures.codec = kept.agent, kept.route, kept.codec
    figures.instructions = kept.instructions
    figures.answered_s, figures.setup_ms = kept.answered_s, kept.setup_ms
    figures.first_utterance_ms = kept.first_utterance_ms
    figures.recovered, figures.reconnects = kept.recovered + 1, kept.reconnects
    journal.meter.response_delays_ms.extend(kept.response_delays_ms)
    journal.meter.barge_in_stops_ms.extend(kept.barge_in_stops_ms)
    journal.conversation = Conversation(Utterance(said.role, said.text) for said in kept.transcript)
    journal.events.extend(TimelineEvent(event.at_ms, event.kind, event.fields) for event in kept.events)
    journal.note(TimelineKind.RECOVERED, times=figures.recovered)
