"""All calls together. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.bench.measure import Distribution, distribution, percentile
from gateway.bench.result import InstrumentHealth, Machine
from gateway.rehearse.ear import RATE_HZ
from gateway.rehearse.figures import CallFigures, Into, Outcome, Turn
from gateway.rehearse.player import is_loud
from gateway.rehearse.result import CallResult, Count, Event, Quality, Result
from gateway.rehearse.script import WORDLESS
from gateway.rehearse.share import TapNotes, first_loud, gateway_share_ms, match_sessions

_ONSET_S: Final = 0.02
"""An answer may be audible sample by sample so long before it is so by its level."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the figures do not tell themselves."""

    machine: Machine
    target: str
    network: str
    script: str
    seed: int
    voices: str
    seconds: float
    instrument: InstrumentHealth


def summarise(calls: Sequence[CallFigures], setting: Setting, sessions: Sequence[TapNotes] = ()) -> Result:
    """sessions: what a tap before the agent noted; empty without one."""
    notes = match_sessions([call.trace.invited_s for call in calls], sessions)
    rows = [call_result(call, session) for call, session in zip(calls, notes, strict=True)]
    answered = [call for call in calls if call.setup_ms is not None]
    turns = [turn for call in answered for turn in call.turns]
    into = [(call.trace.noisy, each) for call in answered for each in call.into]
    scores = sorted(call.mos for call in answered if call.mos is not None)
    middle = percentile(scores, 50)
    events = [event for row in rows for event in row.events]
    return Result(
        machine=setting.machine,
        target=setting.target,
        network=setting.network,
        script=setting.script,
        seed=setting.seed,
        voices=setting.voices,
        seconds=round(setting.seconds, 1),
        failed_calls=Count(sum(bool(call.trace.failure) for call in calls), len(calls)),
        silent_calls=Count(sum(not call.agent for call in answered), len(answered)),
        setup=_times(call.setup_ms for call in calls),
        first_utterance=_times(call.first_utterance_ms for call in answered),
        response_delay=_times(turn.delay_ms for turn in turns),
        gateway_share=_times(event.gateway_share_ms for event in events),
        barge_in_stop=_times(_stops(into, noisy=False)),
        barge_in_stop_noisy=_times(_stops(into, noisy=True)),
        pause=_times(each.silence_ms for _, each in into if each.outcome == "paused"),
        unanswered_turns=Count(
            sum(turn.answer_s is None and not turn.talked_over for turn in turns), len(turns)
        ),
        missed_interruptions=_interruptions([each for _, each in into], "missed"),
        resumed_interruptions=_interruptions([each for _, each in into], "resumed"),
        false_stops=_false_stops([each for _, each in into]),
        talk_overs=Count(sum(turn.talked_over for turn in turns), len(turns)),
        dead_air=Count(sum(len(call.dead_air) for call in answered), len(answered)),
        clipped_words=Count(
            sum(len(call.clipped) for call in answered), sum(len(call.agent) for call in answered)
        ),
        mos=Quality(len(scores), round(scores[0], 2) if scores else None, middle and round(middle, 2)),
        instrument=setting.instrument,
        calls=tuple(rows),
    )


def call_result(call: CallFigures, session: TapNotes | None) -> CallResult:
    """One call as it is reported."""
    trace, zero_s = call.trace, call.heard.start_s
    rows = [_turn_event(call, turn, session) for turn in call.turns if not turn.spoken.over]
    by_frame = {turn.spoken.first_frame: turn for turn in call.turns}
    rows += [_into_event(call, each, by_frame.get(each.spoken.first_frame), session) for each in call.into]
    return CallResult(
        number=trace.number,
        script=trace.script,
        noisy=trace.noisy,
        failure=trace.failure,
        duration_s=round(trace.ended_s - zero_s, 2) if call.setup_ms is not None else 0.0,
        far_end_hung_up=trace.far_end_hung_up,
        setup_ms=_rounded(call.setup_ms),
        first_utterance_ms=_rounded(call.first_utterance_ms),
        events=tuple(sorted(rows, key=lambda event: event.at_s)),
        agent=tuple((round(s.start_s - zero_s, 3), round(s.end_s - zero_s, 3)) for s in call.agent),
        dead_air=tuple((round(a - zero_s, 2), round(b - zero_s, 2)) for a, b in call.dead_air),
        clipped_s=tuple(round(at - zero_s, 3) for at in call.clipped),
        skipped_steps=trace.skipped,
        packets=call.heard.expected,
        lost=call.heard.lost,
        late=call.heard.late,
        buffer_ms=round(call.heard.depth_ms, 1),
        mos=None if call.mos is None else round(call.mos, 2),
    )


def _turn_event(call: CallFigures, turn: Turn, session: TapNotes | None) -> Event:
    outcome = "talked_over" if turn.talked_over else "answered" if turn.answer_s is not None else "unanswered"
    zero_s = call.heard.start_s
    return Event(
        round(turn.start_s - zero_s, 3),
        round(turn.end_s - zero_s, 3),
        turn.spoken.kind,
        turn.spoken.name,
        turn.spoken.over,
        outcome,
        response_delay_ms=_rounded(turn.delay_ms),
        gateway_share_ms=_rounded(_share(call, turn, session)),
    )


def _into_event(call: CallFigures, each: Into, turn: Turn | None, session: TapNotes | None) -> Event:
    zero_s = call.heard.start_s
    return Event(
        round(each.start_s - zero_s, 3),
        round(each.end_s - zero_s, 3),
        each.spoken.kind,
        each.spoken.name,
        each.spoken.over,
        each.outcome,
        stop_ms=_rounded(each.stop_ms),
        silence_ms=_rounded(each.silence_ms),
        response_delay_ms=_rounded(turn.delay_ms) if turn else None,
        gateway_share_ms=_rounded(_share(call, turn, session)) if turn else None,
    )


def _share(call: CallFigures, turn: Turn, session: TapNotes | None) -> float | None:
    """Of a spoken turn; noise under the speech hides its end from the tap."""
    trace = call.trace
    if session is None or turn.answer_s is None or turn.spoken.kind == "key" or trace.noisy:
        return None
    first, last = turn.spoken.first_frame, turn.spoken.first_frame + int(turn.spoken.end_ms // 20) + 1
    loud = [n for n in range(first, min(last + 1, len(trace.sent))) if is_loud(trace.sent[n])]
    if not loud:
        return None
    heard = call.heard
    begin = max(0, round((turn.answer_s - _ONSET_S - heard.start_s) * RATE_HZ))
    audible = first_loud(heard.samples[begin:])
    if audible is None:
        return None
    # The ear's de-jitter buffer is no business of the gateway.
    arrival_s = heard.start_s + (begin + audible) / RATE_HZ - heard.depth_ms / 1000
    return gateway_share_ms(session, trace.sent_s[loud[-1]], arrival_s)


def _stops(into: Iterable[tuple[bool, Into]], *, noisy: bool) -> Iterable[float | None]:
    for is_noisy, each in into:
        if is_noisy is noisy and each.spoken.kind not in WORDLESS:
            yield each.stop_ms


def _interruptions(into: Iterable[Into], outcome: Outcome) -> Count:
    tried = [each for each in into if each.spoken.kind not in WORDLESS and each.outcome != "undisturbed"]
    return Count(sum(each.outcome == outcome for each in tried), len(tried))


def _false_stops(into: Iterable[Into]) -> dict[str, Count]:
    wordless = [each for each in into if each.spoken.kind in WORDLESS]
    found: dict[str, Count] = {}
    for kind in WORDLESS:
        of = [each for each in wordless if each.spoken.kind == kind]
        found[kind] = Count(sum(each.outcome == "stopped" for each in of), len(of))
    sounding = [count for kind, count in found.items() if kind != "nothing"]
    found["all"] = Count(sum(count.found for count in sounding), sum(count.of for count in sounding))
    return found


def _times(values_ms: Iterable[float | None]) -> Distribution:
    return distribution(None if value is None else value / 1000 for value in values_ms)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
