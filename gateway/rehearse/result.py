"""What a rehearsal found, as it is written to `report.json`. Units are in the names."""

import msgspec

from gateway.bench.measure import Distribution
from gateway.bench.result import InstrumentHealth, Machine


class Count(msgspec.Struct, frozen=True):
    """How often something happened."""

    found: int
    of: int
    """How often it could have."""

    @property
    def percent(self) -> float | None:
        """Share of the cases; None without any."""
        return round(100 * self.found / self.of, 2) if self.of else None


class Quality(msgspec.Struct, frozen=True):
    """Estimated mean opinion scores (ITU-T G.107) of the calls, 1 to 4.5."""

    calls: int
    least: float | None
    p50: float | None


class Event(msgspec.Struct, frozen=True):
    """Something the caller did, and what followed. Times are seconds from the answer."""

    at_s: float
    end_s: float
    kind: str
    name: str
    over: bool
    """It was meant to sound into the agent's speech."""
    outcome: str
    """answered, unanswered, talked_over; undisturbed, paused, stopped, missed, resumed."""
    stop_ms: float | None = None
    silence_ms: float | None = None
    response_delay_ms: float | None = None
    gateway_share_ms: float | None = None


class CallResult(msgspec.Struct, frozen=True):
    """One call."""

    number: int
    script: str
    noisy: bool
    """There was noise under the caller's voice."""
    failure: str
    duration_s: float
    far_end_hung_up: bool
    setup_ms: float | None
    first_utterance_ms: float | None
    events: tuple[Event, ...]
    agent: tuple[tuple[float, float], ...]
    """The agent's utterances, seconds from the answer."""
    dead_air: tuple[tuple[float, float], ...]
    clipped_s: tuple[float, ...]
    skipped_steps: int
    """Sounds that were not made because the agent did not speak long enough."""
    packets: int
    lost: int
    late: int
    buffer_ms: float
    mos: float | None


class Result(msgspec.Struct, frozen=True):
    """Outcome of `gateway rehearse`."""

    machine: Machine
    target: str
    network: str
    script: str
    seed: int
    voices: str
    seconds: float
    failed_calls: Count
    silent_calls: Count
    """Answered, but the agent said nothing."""
    setup: Distribution
    first_utterance: Distribution
    response_delay: Distribution
    gateway_share: Distribution
    """Of the response delay; own gateway only."""
    barge_in_stop: Distribution
    barge_in_stop_noisy: Distribution
    """With noise under the caller's voice."""
    pause: Distribution
    """Pauses of the agent for sounds without words, after which it went on."""
    unanswered_turns: Count
    missed_interruptions: Count
    resumed_interruptions: Count
    """The agent fell silent, and went on within the caller's words."""
    false_stops: dict[str, Count]
    """By kind of sound; `all` is all but silences."""
    talk_overs: Count
    dead_air: Count
    """Of the calls: silences of more than 2 s."""
    clipped_words: Count
    """Of the agent's utterances."""
    mos: Quality
    instrument: InstrumentHealth
    calls: tuple[CallResult, ...]
