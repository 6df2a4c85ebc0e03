"""What a rehearsal must keep: a YAML file of limits, and the verdict on each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from gateway.bench.measure import Distribution
from gateway.config.document import parse_document
from gateway.config.problems import ConfigError, Problem
from gateway.config.section import NO_TRUTH_VALUE, Section
from gateway.config.validate import validate
from gateway.rehearse.result import Count, Result

DEFAULT: Final = Path(__file__).parent / "thresholds.yaml"

Limit = Annotated[float | None, Field(ge=0), NO_TRUTH_VALUE]


class Times(Section):
    """Limits of durations in milliseconds; what is left out does not matter."""

    p50: Limit = None
    p95: Limit = None
    p99: Limit = None
    max: Limit = None


class Cases(Section):
    """Limits of something that should not happen."""

    most: Limit = None
    """Times."""
    percent: Limit = None
    """Of the cases."""


class Scores(Section):
    """Limits of scores from 1 to 4.5."""

    least: Limit = None
    """Of the worst call."""
    p50: Limit = None


class FalseStops(Section):
    """By kind of sound."""

    backchannel: Cases = Cases()
    noise: Cases = Cases()
    keys: Cases = Cases()
    echo: Cases = Cases()
    all: Cases = Cases()


class Thresholds(Section):
    """The whole file."""

    failed_calls: Cases = Cases()
    silent_calls: Cases = Cases()
    setup_ms: Times = Times()
    first_utterance_ms: Times = Times()
    response_delay_ms: Times = Times()
    gateway_share_ms: Times = Times()
    """Measured with the rehearsal's own gateway only."""
    barge_in_stop_ms: Times = Times()
    barge_in_stop_noisy_ms: Times = Times()
    pause_ms: Times = Times()
    unanswered_turns: Cases = Cases()
    missed_interruptions: Cases = Cases()
    resumed_interruptions: Cases = Cases()
    """The agent fell silent, and went on within the caller's words."""
    false_stops: FalseStops = FalseStops()
    talk_overs: Cases = Cases()
    dead_air: Cases = Cases()
    clipped_words: Cases = Cases()
    mos: Scores = Scores()


@dataclass(frozen=True, slots=True)
class Check:
    """One limit and what came out."""

    name: str
    limit: str
    """Such as `p95 ≤ 150 ms`."""
    value: float | None
    """None: nothing was measured."""
    tried: int
    """How many cases there were."""
    kept: bool | None
    """None: there was no case at all."""


def load_thresholds(path: Path = DEFAULT) -> Thresholds:
    """Raises `ConfigError` with everything that is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        problem = Problem(str(path), 0, 0, "", exc.strerror or str(exc), "a readable file of thresholds")
        raise ConfigError([problem]) from exc
    return validate(Thresholds, parse_document(raw, str(path)))


def checks(result: Result, thresholds: Thresholds, *, all_must_be_tried: bool = False) -> list[Check]:
    """All limits that are set, in the order of the file's documentation.

    all_must_be_tried: a limit for which no case came up is missed.
    """
    found = _checks(result, thresholds)
    if all_must_be_tried:
        return [replace(check, kept=bool(check.kept)) for check in found]
    return list(found)


def passed(verdicts: list[Check]) -> bool:
    """Whether something was tried, and nothing is missed."""
    return any(check.kept for check in verdicts) and all(check.kept is not False for check in verdicts)


def _checks(result: Result, limits: Thresholds) -> Iterator[Check]:
    yield from _cases("failed calls", result.failed_calls, limits.failed_calls)
    yield from _cases("calls without a word of the agent", result.silent_calls, limits.silent_calls)
    yield from _times("set-up", result.setup, limits.setup_ms)
    yield from _times("first utterance after the answer", result.first_utterance, limits.first_utterance_ms)
    yield from _times("response delay", result.response_delay, limits.response_delay_ms)
    yield from _times("gateway's share of it", result.gateway_share, limits.gateway_share_ms)
    yield from _times("interruption: onset to silence", result.barge_in_stop, limits.barge_in_stop_ms)
    noisy = result.barge_in_stop_noisy
    yield from _times("interruption in noise: onset to silence", noisy, limits.barge_in_stop_noisy_ms)
    yield from _cases("interruptions missed", result.missed_interruptions, limits.missed_interruptions)
    resumed = result.resumed_interruptions
    yield from _cases("went on within the interruption", resumed, limits.resumed_interruptions)
    for kind in ("backchannel", "noise", "keys", "echo", "all"):
        cases: Cases = getattr(limits.false_stops, kind)
        yield from _cases(f"false stops: {kind}", result.false_stops[kind], cases)
    yield from _times("pauses for nothing", result.pause, limits.pause_ms)
    yield from _cases("turns without an answer", result.unanswered_turns, limits.unanswered_turns)
    yield from _cases("agent began within the caller's words", result.talk_overs, limits.talk_overs)
    yield from _cases("silences over 2 s", result.dead_air, limits.dead_air)
    yield from _cases("words cut", result.clipped_words, limits.clipped_words)
    for name, least, value in (
        ("worst", limits.mos.least, result.mos.least),
        ("p50", limits.mos.p50, result.mos.p50),
    ):
        if least is not None:
            kept = None if value is None else value >= least
            yield Check("voice quality (MOS)", f"{name} ≥ {least:g}", value, result.mos.calls, kept)


def _times(name: str, found: Distribution, limits: Times) -> Iterator[Check]:
    for field in ("p50", "p95", "p99", "max"):
        limit = getattr(limits, field)
        if limit is not None:
            value: float | None = getattr(found, f"{field}_ms")
            kept = None if value is None else value <= limit
            yield Check(f"{name}, ms", f"{field} ≤ {limit:g}", value, found.samples, kept)


def _cases(name: str, found: Count, limits: Cases) -> Iterator[Check]:
    if limits.most is not None:
        kept = found.found <= limits.most if found.of else None
        yield Check(name, f"≤ {limits.most:g}", found.found, found.of, kept)
    if limits.percent is not None:
        percent = found.percent
        kept = None if percent is None else percent <= limits.percent
        yield Check(f"{name}, %", f"≤ {limits.percent:g}", percent, found.of, kept)
