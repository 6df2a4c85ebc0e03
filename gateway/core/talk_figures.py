"""What a call's timeline says about its conversation: delays in parts, false stops, interruptions. Pure.

A false interruption is one in which the agent stopped for nothing: it went on after a pause, or it was
silenced and no words of the caller followed. The agent interrupts when it begins to speak into the
caller's words after it had been silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from gateway.core.record import TimelineEvent, TimelineKind

RESPONSE_PARTS: Final = ("detection", "backend", "gateway", "playout")
"""Of a response delay, in this order: until the caller's turn was known to be over, until the service's first
audio came, until the card had it, until it was on the wire."""

_WORDS_WITHIN_MS: Final = 10_000.0
"""Words that come later after a stop belong to something else."""
_HURRY_MS: Final = 2000.0
"""A caller who hangs up so soon after a stop may have wanted to say more."""
_SILENT_MS: Final = 300.0
"""An agent that was heard so lately goes on speaking."""


@dataclass(frozen=True, slots=True)
class TalkFigures:
    """Of one call."""

    response_delays_ms: tuple[float, ...]
    parts_ms: dict[str, tuple[float, ...]]
    """By `RESPONSE_PARTS`: one value per turn whose parts are known."""
    stops_ms: tuple[float, ...]
    """Caller's onset to silence, of each interruption."""
    resumed: int
    """False interruptions that were taken back."""
    stopped_without_words: int
    """False interruptions that were not."""
    agent_interruptions: int
    silences_ms: tuple[tuple[str, float], ...]
    """Who spoke last (caller, agent, or empty), and how long nobody did."""

    @property
    def false_interruptions(self) -> int:
        """Of both kinds."""
        return self.resumed + self.stopped_without_words

    def part_p50_ms(self, part: str) -> float | None:
        """Median over the turns."""
        values = self.parts_ms[part]
        return median(values) if values else None


def talk_figures(timeline: Sequence[TimelineEvent]) -> TalkFigures:
    """Of a timeline in order of time."""
    return TalkFigures(
        response_delays_ms=_numbers(timeline, TimelineKind.AGENT_AUDIO, "response_delay_ms"),
        parts_ms={
            part: _numbers(timeline, TimelineKind.AGENT_AUDIO, f"{part}_ms") for part in RESPONSE_PARTS
        },
        stops_ms=_numbers(timeline, TimelineKind.BARGE_IN, "stop_ms"),
        resumed=sum(event.kind is TimelineKind.AGENT_RESUMED for event in timeline),
        stopped_without_words=_stopped_without_words(timeline),
        agent_interruptions=_agent_interruptions(timeline),
        silences_ms=tuple(
            (str(event.fields.get("after") or ""), _number(event, "duration_ms"))
            for event in timeline
            if event.kind is TimelineKind.SILENCE
        ),
    )


def _numbers(timeline: Sequence[TimelineEvent], kind: TimelineKind, name: str) -> tuple[float, ...]:
    return tuple(_number(event, name) for event in timeline if event.kind is kind and name in event.fields)


def _number(event: TimelineEvent, name: str) -> float:
    value = event.fields.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _stopped_without_words(timeline: Sequence[TimelineEvent]) -> int:
    said = [event.at_ms for event in timeline if _is_said_by_caller(event)]
    if not said:
        return 0  # a service that writes nothing down tells nothing about words
    stops = [event for event in timeline if event.kind is TimelineKind.BARGE_IN]
    ended_ms = timeline[-1].at_ms
    false = 0
    for index, stop in enumerate(stops):
        began_ms = stop.at_ms - _number(stop, "stop_ms")
        next_ms = stops[index + 1].at_ms if index + 1 < len(stops) else ended_ms
        until_ms = min(began_ms + _WORDS_WITHIN_MS, next_ms)
        for_words = stop.fields.get("cause", "speech") == "speech"
        if not for_words or ended_ms - stop.at_ms < _HURRY_MS:
            continue
        false += not any(began_ms <= at_ms <= until_ms for at_ms in said)
    return false


def _is_said_by_caller(event: TimelineEvent) -> bool:
    return event.kind is TimelineKind.SAID and event.fields.get("role") == "caller"


def _agent_interruptions(timeline: Sequence[TimelineEvent]) -> int:
    count, silent_since_ms, heard = 0, float("-inf"), False
    for event in timeline:
        match event.kind:
            case TimelineKind.AGENT_AUDIO:
                fresh = not heard and event.at_ms - silent_since_ms >= _SILENT_MS
                count += fresh and event.fields.get("over_caller") is True
                heard = True
            case TimelineKind.AGENT_SILENT | TimelineKind.BARGE_IN:
                heard, silent_since_ms = False, event.at_ms
    return count
