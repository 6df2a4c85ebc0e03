"""What a call leaves behind: the CDR and the timeline, as plain values.

The call fills one `CallRecord` while it runs and hands it over at its end; the store writes it, the
command line and the metrics read it. Everything that names a person (numbers, addresses, what was
said) is in fields whose docstring says "personal data".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from gateway.core.ids import CallId, CardId
from gateway.core.quality.track import QualityPoint
from gateway.core.termination import Reason, Result

Direction = Literal["inbound", "outbound"]
"""inbound: the far end called us · outbound: we called it."""

CallKind = Literal["sip", "webrtc", "loopback"]
"""Which kind of leg the caller came in on."""

FieldValue = str | int | float | bool | None
"""What a timeline event may carry; it goes into JSON as it is."""


class TimelineKind(StrEnum):
    """What happened. The comment names the usual fields."""

    INCOMING = "incoming"  # card, codec offer
    ROUTED = "routed"  # route, agent
    RINGING = "ringing"
    BACKEND_CONNECTING = "backend_connecting"  # backend, attempt
    BACKEND_READY = "backend_ready"  # took_ms
    BACKEND_FAULT = "backend_fault"  # fault, detail, retryable
    FALLBACK = "fallback"  # agent: it takes over
    BACKEND_NOTICE = "backend_notice"  # code, message
    ANSWERED = "answered"  # setup_ms
    MEDIA = "media"  # codec, ptime_ms, srtp, held
    TIER = "tier"  # party, direction, before, after, reason: less or more network is used
    FIRST_UTTERANCE = "first_utterance"  # delay_ms
    SPEECH_STARTED = "speech_started"
    SPEECH_STOPPED = "speech_stopped"
    RESPONSE_STARTED = "response_started"
    RESPONSE_DONE = "response_done"  # status
    AGENT_AUDIO = "agent_audio"  # response_delay_ms and its parts (detection_ms …), over_caller
    AGENT_SILENT = "agent_silent"  # played_ms
    AGENT_RESUMED = "agent_resumed"  # cause, paused_ms: the interruption was none
    BACKCHANNEL = "backchannel"  # duration_ms
    TALK_OVER = "talk_over"
    SILENCE = "silence"  # duration_ms, after: who spoke last
    BARGE_IN = "barge_in"  # stop_ms, played_ms, heard_ms, dropped_ms, cause
    SAID = "said"  # role, text (personal data)
    DTMF_IN = "dtmf_in"  # digit (personal data), method
    DTMF_OUT = "dtmf_out"  # digits (personal data)
    TOOL_CALL = "tool_call"  # name, arguments (personal data)
    TOOL_RESULT = "tool_result"  # name, output (personal data), outcome, took_ms
    PROMPT = "prompt"  # name, language
    DIALLING = "dialling"  # party, leg
    DIAL_FAILED = "dial_failed"  # party, result, reason
    JOINED = "joined"  # party, leg, agent
    LEFT = "left"  # party
    TRANSFER = "transfer"  # result, reason
    RECORDING = "recording"  # state, duration_s
    HELD = "held"  # party
    RESUMED = "resumed"  # party
    RTP_STALLED = "rtp_stalled"  # silent_s
    RECOVERED = "recovered"  # after a restart of the core
    STEP = "step"  # of the dialplan: name
    NOTE = "note"  # text without personal data
    HANGUP = "hangup"  # by
    ENDED = "ended"  # result, reason


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One thing that happened in a call."""

    at_ms: float
    """Milliseconds since the call's start (`CallRecord.started_at`)."""
    kind: TimelineKind
    """What happened."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """Details; may hold personal data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One finished call: the CDR row and its timeline. All wall-clock times are aware and in UTC."""

    id: CallId
    node: str
    """Name of the node that carried the call."""
    sip_call_id: str
    """Call-ID of the caller's dialog; empty for other kinds."""
    direction: Direction = "inbound"
    kind: CallKind = "sip"
    from_number: str = ""
    """Who called; personal data."""
    to_number: str = ""
    """What was dialled; personal data."""
    peer: str = ""
    """transport:address:port of the far end; personal data."""
    trunk: str | None = None
    """Trunk of the configuration that it came by, empty if none; None: not recorded."""
    headers: Mapping[str, str | None] | None = None
    """Headers of the request that the dialplan has conditions on, names in lower case, None for one that
    was not there; None in place of all: not recorded. Personal data."""
    route: str = ""
    """Route of the dialplan that took the call; empty if none did."""
    agent: str = ""
    """Agent of the configuration that served the call; empty if none did."""
    codec: str = ""
    """Last codec of the caller's leg; empty if media never started."""

    started_at: datetime
    """When the INVITE or offer arrived."""
    answered_at: datetime | None = None
    ended_at: datetime
    duration_s: float
    """From start to end."""
    billable_s: float = 0.0
    """From answer to end; 0 when unanswered."""

    result: Result
    reason: Reason
    detail: str = ""
    """Addition to the reason, without personal data or secrets."""
    sip_status: int
    """Final SIP status of the caller's dialog; 200 when answered and ended normally."""

    setup_ms: float | None = None
    """INVITE to 200."""
    first_utterance_ms: float | None = None
    """Answer to the agent's first audio on the wire."""
    response_delay_p50_ms: float | None = None
    """Caller's end of speech to first audio on the wire, median of the turns."""
    response_delay_max_ms: float | None = None
    turns: int = 0
    """Turns of the caller that were answered."""
    barge_ins: int = 0
    barge_in_stop_p50_ms: float | None = None
    """Caller's onset to silence on the wire, median."""

    rx_packets: int = 0
    rx_lost: int = 0
    rx_jitter_ms: float | None = None
    tx_lost: int | None = None
    """As the far end reported; None without a report."""
    rtt_ms: float | None = None
    underruns: int = 0
    """Times the playout ran dry in the middle of an utterance."""
    playout_dropped_ms: float = 0.0
    """Agent audio thrown away by overflow of the playout buffer."""
    uplink_dropped_ms: float = 0.0
    """Caller audio thrown away because the backend's connection was too slow."""

    cards: tuple[CardId, ...] = ()
    """Cards that carried the call's legs, in order of use."""
    recovered: int = 0
    """Times a restarted core took the call over."""
    reconnects: int = 0
    """Times the backend was reconnected."""
    mos_min: float | None = None
    """Of the caller's line, the worse direction in the worst second (G.107, 1 to 4.5); None: not known."""
    mos_mean: float | None = None
    """The same over all seconds."""
    tier_changes: int = 0
    """How often a leg went to another codec, bitrate or packet time because of the network."""
    response_detection_p50_ms: float | None = None
    """Of the response delay: until the caller's turn was known to be over, median of the turns."""
    response_backend_p50_ms: float | None = None
    """… from there until the service's first audio came."""
    response_gateway_p50_ms: float | None = None
    """… from there until it was on its way to the card."""
    response_playout_p50_ms: float | None = None
    """… from there until it was on the wire."""
    false_interruptions: int = 0
    """Times the agent stopped for nothing: it went on, or no words of the caller followed."""
    agent_interruptions: int = 0
    """Times the agent began to speak into the caller's words."""
    silences: int = 0
    """Times nobody was heard for more than two seconds."""
    silence_ms: float = 0.0
    """How long those were together."""

    timeline: Sequence[TimelineEvent] = ()
    """Everything that happened, in order of time."""
    quality: Sequence[QualityPoint] = ()
    """The caller's line second by second; of long calls several seconds a point."""

    APART: ClassVar[tuple[str, ...]] = ("timeline", "quality")
    """Fields that lists of calls leave out."""
