"""What a running call writes down: its timeline, its figures, and at the end its record."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from gateway.backends.contract import Utterance
from gateway.calls.conversation import MAX_TEXT_CHARS, Conversation
from gateway.calls.oai_requests import PeerStats
from gateway.core.far_end import delay_to_ear_ms
from gateway.core.ids import CallId, CardId
from gateway.core.quality.track import QualityTrack
from gateway.core.record import CallKind, CallRecord, Direction, FieldValue, TimelineEvent, TimelineKind
from gateway.core.talk_figures import talk_figures
from gateway.core.termination import Termination
from gateway.core.turns import TurnMeter
from gateway.wire import card as wire

MAX_EVENTS: Final = 5000
"""Longer timelines keep their beginning and their end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What is known of a call when it begins."""

    id: CallId
    kind: CallKind = "sip"
    direction: Direction = "inbound"
    node: str
    sip_call_id: str
    from_number: str
    """Personal data."""
    to_number: str
    """Personal data."""
    peer: str
    """Personal data."""
    card: CardId
    started_at: datetime
    started_s: float
    """CLOCK_MONOTONIC seconds of the same moment."""


@dataclass(slots=True)
class Figures:
    """Figures of the call that are not in the timeline."""

    route: str = ""
    trunk: str = ""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Those that the dialplan has conditions on; personal data."""
    agent: str = ""
    instructions: str = ""
    """What a WebRTC peer put in the place of the agent's own; empty if nothing."""
    codec: str = ""
    answered_s: float | None = None
    setup_ms: float | None = None
    first_utterance_ms: float | None = None
    quality: wire.Quality | None = None
    peer: PeerStats | None = None
    """What a WebRTC peer's browser measured last."""
    uplink_dropped_ms: float = 0.0
    recovered: int = 0
    reconnects: int = 0
    line: QualityTrack = field(default_factory=QualityTrack)
    """How good the caller's line was."""
    tier_changes: int = 0
    sip_status: int | None = None

    @property
    def delay_to_ear_ms(self) -> float:
        """How long audio takes to the caller's ear: by their page's measurements, else by RTCP."""
        peer, quality = self.peer, self.quality
        if peer is not None:
            emitted = peer.jitter_buffer_emitted
            buffer_ms = peer.jitter_buffer_delay_s * 1000 / emitted if emitted else None
            return delay_to_ear_ms(peer.rtt_ms, peer.jitter_ms, buffer_ms)
        if quality is None:
            return delay_to_ear_ms(None, None)
        rtt_ms = quality.rtt_ms if quality.rtt_ms >= 0 else None
        return delay_to_ear_ms(rtt_ms, quality.tx_jitter_ms if quality.tx_lost >= 0 else None)


class Journal:
    """The written memory of one call."""

    def __init__(self, facts: CallFacts, clock: Callable[[], float]) -> None:
        self.facts = facts
        self.figures = Figures()
        self.meter = TurnMeter()
        self.events: list[TimelineEvent] = []
        self.conversation = Conversation()
        self._clock = clock
        self.on_said: list[Callable[[Utterance], None]] = []
        """Told of everything that is said."""
        self._watcher: Callable[[TimelineEvent], None] | None = None

    def watch(self, watcher: Callable[[TimelineEvent], None]) -> None:
        """Tell `watcher` of each event when it is added; at that moment it is the last of `events`."""
        self._watcher = watcher

    def note(self, kind: TimelineKind, /, *, at_s: float | None = None, **fields: FieldValue) -> None:
        """Add to the timeline; `at_s` when it happened, if not now. Long texts are cut."""
        self._add(kind, at_s, fields)

    def step(self, name: str, fields: Mapping[str, FieldValue]) -> None:
        """A step of the dialplan."""
        self._add(TimelineKind.STEP, None, {"name": name, **fields})

    def _add(self, kind: TimelineKind, at_s: float | None, fields: Mapping[str, FieldValue]) -> None:
        if len(self.events) >= MAX_EVENTS and kind is not TimelineKind.ENDED:
            return
        at_ms = ((self._clock() if at_s is None else at_s) - self.facts.started_s) * 1000
        short = {
            name: value[:MAX_TEXT_CHARS] if isinstance(value, str) else value
            for name, value in fields.items()
        }
        event = TimelineEvent(round(at_ms, 1), kind, short)
        self.events.append(event)
        if self._watcher is not None:
            self._watcher(event)

    @property
    def starved_ms(self) -> float:
        """How long the caller waited within the agent's words, since the call began."""
        quality = self.figures.quality
        return float(quality.starved_ms) if quality is not None else 0.0

    def caller_finished(self, item_id: str) -> None:
        """The caller's turn is over."""
        self.meter.turn_over(self._clock())
        self.conversation.caller_finished(item_id)
        self.note(TimelineKind.SPEECH_STOPPED)

    def said(self, item_id: str, utterance: Utterance) -> None:
        """Somebody's words are known."""
        self.conversation.add(item_id, utterance)
        if utterance.text:
            for listener in self.on_said:
                listener(utterance)
            self.note(TimelineKind.SAID, role=utterance.role, text=utterance.text)

    def answered(self, at_s: float) -> None:
        """The final 2xx left."""
        self.figures.answered_s = at_s
        self.figures.setup_ms = (at_s - self.facts.started_s) * 1000
        self.note(TimelineKind.ANSWERED, at_s=at_s, setup_ms=round(self.figures.setup_ms, 1))

    def agent_heard(self, at_s: float) -> None:
        """The first audio of an answer reached the wire."""
        figures = self.figures
        if figures.first_utterance_ms is None and figures.answered_s is not None:
            figures.first_utterance_ms = (at_s - figures.answered_s) * 1000
            self.note(TimelineKind.FIRST_UTTERANCE, at_s=at_s, delay_ms=round(figures.first_utterance_ms, 1))
        delay_ms = self.meter.agent_started(at_s)
        fields: dict[str, FieldValue] = {}
        if delay_ms is not None:
            fields["response_delay_ms"] = round(delay_ms, 1)
            parts = self.meter.parts
            fields |= {} if parts is None else {name: round(ms, 1) for name, ms in asdict(parts).items()}
        if self.meter.caller_speaks_at(at_s):
            fields["over_caller"] = True
        self.note(TimelineKind.AGENT_AUDIO, at_s=at_s, **fields)

    def record(self, termination: Termination) -> CallRecord:
        """The call's record; it has just ended."""
        ended_s = self._clock()
        facts, figures, meter = self.facts, self.figures, self.meter
        self.note(
            TimelineKind.ENDED,
            at_s=ended_s,
            result=termination.result.value,
            reason=termination.reason.value,
            detail=termination.detail,
        )
        quality = figures.quality
        answered_s = figures.answered_s
        # Some events are known only after others that followed them.
        timeline = tuple(sorted(self.events, key=lambda event: event.at_ms))
        talk = talk_figures(timeline)

        def wall(at_s: float) -> datetime:
            return facts.started_at + timedelta(seconds=at_s - facts.started_s)

        return CallRecord(
            id=facts.id,
            node=facts.node,
            kind=facts.kind,
            direction=facts.direction,
            sip_call_id=facts.sip_call_id,
            from_number=facts.from_number,
            to_number=facts.to_number,
            peer=facts.peer,
            route=figures.route,
            trunk=figures.trunk,
            headers=figures.headers,
            agent=figures.agent,
            codec=figures.codec,
            started_at=facts.started_at,
            answered_at=None if answered_s is None else wall(answered_s),
            ended_at=wall(ended_s),
            duration_s=ended_s - facts.started_s,
            billable_s=0.0 if answered_s is None else max(0.0, ended_s - answered_s),
            result=termination.result,
            reason=termination.reason,
            detail=termination.detail,
            sip_status=200 if answered_s is not None else figures.sip_status or termination.sip_status[0],
            setup_ms=figures.setup_ms,
            first_utterance_ms=figures.first_utterance_ms,
            response_delay_p50_ms=_median(meter.response_delays_ms),
            response_delay_max_ms=max(meter.response_delays_ms, default=None),
            turns=len(meter.response_delays_ms),
            barge_ins=len(meter.barge_in_stops_ms),
            barge_in_stop_p50_ms=_median(meter.barge_in_stops_ms),
            rx_packets=quality.rx_packets if quality else 0,
            rx_lost=quality.rx_lost if quality else 0,
            rx_jitter_ms=quality.rx_jitter_ms if quality else None,
            tx_lost=quality.tx_lost if quality and quality.tx_lost >= 0 else None,
            rtt_ms=quality.rtt_ms if quality and quality.rtt_ms >= 0 else None,
            underruns=quality.underruns if quality else 0,
            playout_dropped_ms=float(quality.playout_dropped_ms) if quality else 0.0,
            uplink_dropped_ms=figures.uplink_dropped_ms,
            cards=(facts.card,),
            recovered=figures.recovered,
            reconnects=figures.reconnects,
            mos_min=figures.line.mos_min,
            mos_mean=figures.line.mos_mean,
            tier_changes=figures.tier_changes,
            quality=figures.line.points,
            response_detection_p50_ms=talk.part_p50_ms("detection"),
            response_backend_p50_ms=talk.part_p50_ms("backend"),
            response_gateway_p50_ms=talk.part_p50_ms("gateway"),
            response_playout_p50_ms=talk.part_p50_ms("playout"),
            false_interruptions=talk.false_interruptions,
            agent_interruptions=talk.agent_interruptions,
            silences=len(talk.silences_ms),
            silence_ms=sum(duration_ms for _, duration_ms in talk.silences_ms),
            timeline=timeline,
        )


def _median(values: list[float]) -> float | None:
    return median(values) if values else None
