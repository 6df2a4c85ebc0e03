"""Whether the demo's conversation worked, and what its figures are worth. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from gateway.core.record import CallRecord, TimelineKind
from gateway.softphone.measure import Figures, Turn

INTERRUPTION: Final = "interrupt.wav"
REQUEST: Final = "ask_billing.wav"
WANTED_WORD: Final = "billing"

_NOTICED_MS: Final = 1500
"""A far end that talks on for longer than this was not interrupted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the transcript."""

    at_s: float
    """Seconds since the call began."""
    who: str
    """caller or agent."""
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure, measured at both ends of the line."""

    name: str
    phone_ms: float | None
    """At the phone's ear, network and jitter buffer included."""
    gateway_ms: float | None
    """The gateway's own, as in the call record."""
    limit_ms: float
    """People begin to notice beyond this."""

    @property
    def verdict(self) -> str:
        """good, slow or missing; by the phone's figure."""
        if self.phone_ms is None:
            return "missing"
        return "good" if self.phone_ms <= self.limit_ms else "slow"


def transcript(record: CallRecord) -> list[Line]:
    """Who said what, in order."""
    return [
        Line(round(event.at_ms / 1000, 3), str(event.fields["role"]), str(event.fields["text"]))
        for event in record.timeline
        if event.kind is TimelineKind.SAID
    ]


def measured(phone: Figures, record: CallRecord | None) -> list[Measured]:
    """The figures that define a phone conversation."""
    response_delay = record.response_delay_p50_ms if record else None
    barge_in_stop = record.barge_in_stop_p50_ms if record else None
    return [
        Measured("set-up", phone.setup_ms, record.setup_ms if record else None, 500),
        Measured(
            "first utterance", phone.first_utterance_ms, record.first_utterance_ms if record else None, 500
        ),
        Measured("response delay", _median(phone.response_delay_ms), response_delay, 1000),
        Measured("barge-in stop", _median(phone.barge_in_stop_ms), barge_in_stop, 500),
    ]


def missing(phone: Figures, phone_problem: str, record: CallRecord | None) -> list[str]:
    """What did not work, one line each; empty if the conversation worked."""
    problems = [phone_problem] if phone_problem else []
    if phone.setup_ms is None:
        return problems
    if phone.first_utterance_ms is None:
        problems.append("the greeting was not heard")
    interruption = _turn(phone, INTERRUPTION)
    stop_ms = interruption.barge_in_stop_ms if interruption else None
    if stop_ms is None or stop_ms > _NOTICED_MS:
        problems.append("the interruption did not stop the agent")
    request = _turn(phone, REQUEST)
    if request is None or request.response_delay_ms is None:
        problems.append("the request was not answered")
    if record is None:
        problems.append("the call left no record")
    elif not any(WANTED_WORD in line.text.lower() for line in transcript(record) if line.who == "caller"):
        problems.append(f'"{WANTED_WORD}" was not understood')
    return problems


def _turn(phone: Figures, name: str) -> Turn | None:
    return next((turn for turn in phone.turns if turn.name == name), None)


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
