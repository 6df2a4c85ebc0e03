"""What a caller noticed, from what its phone said and heard. Pure.

A moment of the caller's speech is when it was at the mouth, 20 ms or less before its packet went out; a
moment of the agent's is when the phone's ear played it, de-jitter buffer included. Only levels are looked
at, so that any agent on any product can be measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal

from gateway.core.quality.codecs import codec_profile
from gateway.core.quality.emodel import equipment_impairment, mos, rating
from gateway.rehearse.activity import Levels, Sound, levels_of, sounds_of
from gateway.rehearse.clipping import clipped
from gateway.rehearse.ear import Heard, listen
from gateway.rehearse.phone import Trace
from gateway.rehearse.player import Spoken
from gateway.rehearse.script import WORDLESS

UTTERANCE_GAP_S: Final = 0.4
"""Shorter silences are pauses between words and sentences."""
PAUSE_GAP_S: Final = 0.24
"""Longer ones while something distracts the agent may be for that; commas are shorter."""
RESUME_S: Final = 0.64
"""A pause may last 600 ms; 40 ms are what the ear can be wrong about: a packet at both ends."""
DECIDED_S: Final = 0.6
"""A sound stops the agent by then after its end, or not at all."""
DEAD_AIR_S: Final = 2.0
_STOPPED_WITHIN_S: Final = 2.0
"""An agent that talks on for longer was not interrupted."""
_TALK_OVER_S: Final = 0.1
"""Of the caller's speech at its beginning and end in which the agent's start is nobody's fault."""
_LOOK_BACK_S: Final = 0.02

Outcome = Literal["undisturbed", "paused", "stopped", "missed", "resumed"]
"""resumed: silent for the interruption, and on again within the caller's words."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Something the caller said into the silence, or an interruption that was made room for."""

    spoken: Spoken
    start_s: float
    end_s: float
    answer_s: float | None
    """When the agent's answer began; None if it was none, or came too early."""
    talked_over: bool
    """The agent began while the caller was speaking."""

    @property
    def delay_ms(self) -> float | None:
        """From the end of speech to the answer."""
        return None if self.answer_s is None else (self.answer_s - self.end_s) * 1000


@dataclass(frozen=True, slots=True)
class Into:
    """A sound of the caller into the agent's speech, and what the agent made of it."""

    spoken: Spoken
    start_s: float
    end_s: float
    silent_s: float | None
    """When the agent fell silent for it."""
    silence_ms: float | None
    """How long it was silent; None: it said nothing more."""
    outcome: Outcome

    @property
    def stop_ms(self) -> float | None:
        """From the onset to the agent's silence."""
        return None if self.silent_s is None else (self.silent_s - self.start_s) * 1000

    @property
    def resumed_s(self) -> float:
        """When the agent went on; infinite if it did not."""
        if self.silent_s is None or self.silence_ms is None:
            return math.inf
        return self.silent_s + self.silence_ms / 1000


@dataclass(frozen=True, slots=True)
class CallFigures:
    """One call."""

    trace: Trace
    heard: Heard
    levels: Levels
    agent: tuple[Sound, ...]
    """The agent's utterances."""
    setup_ms: float | None
    first_utterance_ms: float | None
    turns: tuple[Turn, ...]
    into: tuple[Into, ...]
    dead_air: tuple[tuple[float, float], ...]
    """Spans of more than `DEAD_AIR_S` in which nobody said anything and the agent had the word."""
    clipped: tuple[float, ...]
    """Moments at which the agent's words were cut."""
    mos: float | None


def figures_of(trace: Trace, one_way_ms: float = 0.0) -> CallFigures:
    """All of a call. one_way_ms: delay of the network as far as it is known."""
    start_s = trace.answered_s if trace.answered_s is not None else trace.invited_s
    heard = listen(trace.heard, start_s, trace.ended_s)
    levels = levels_of(heard.samples, start_s)
    agent = sounds_of(levels, UTTERANCE_GAP_S)
    spans = [(s, trace.mouth_s(s, s.onset_ms), trace.mouth_s(s, s.end_ms)) for s in trace.spoken]
    fine = sounds_of(levels, PAUSE_GAP_S)
    into = tuple(_into(span, fine, trace.ended_s) for span in spans if span[0].over)
    cut = [at for each in into if each.silent_s is not None for at in (each.silent_s, each.resumed_s)]
    answered = trace.answered_s is not None
    return CallFigures(
        trace,
        heard,
        levels,
        tuple(agent),
        (trace.answered_s - trace.invited_s) * 1000 if trace.answered_s is not None else None,
        (agent[0].start_s - start_s) * 1000 if agent and answered else None,
        tuple(_turns(spans, agent)),
        into,
        tuple(_dead_air(trace, spans, agent, start_s)) if answered else (),
        clipped(levels, fine, heard.gaps, cut),
        _mos(heard, one_way_ms) if heard.expected else None,
    )


Span = tuple[Spoken, float, float]


def _turns(spans: Sequence[Span], agent: Sequence[Sound]) -> list[Turn]:
    found = []
    for index, (spoken, start_s, end_s) in enumerate(spans):
        if spoken.over and spoken.kind in WORDLESS:
            continue
        until_s = spans[index + 1][1] if index + 1 < len(spans) else float("inf")
        early, late = start_s + _TALK_OVER_S, end_s - _TALK_OVER_S
        began = [sound.start_s for sound in agent if start_s < sound.start_s]
        # An interrupted agent that goes on too early is told with the interruption.
        over = any(early < at < late for at in began) and spoken.kind != "key" and not spoken.over
        answers = [at for at in began if late <= at < until_s]
        answer_s = None if over or not answers else answers[0]
        found.append(Turn(spoken, start_s, end_s, answer_s, over))
    return found


def _into(span: Span, fine: Sequence[Sound], ended_s: float) -> Into:
    spoken, start_s, end_s = span
    if spoken.kind not in WORDLESS:
        return _interruption(spoken, start_s, end_s, fine)
    worst = Into(spoken, start_s, end_s, None, None, "undisturbed")
    for sound, following in zip_longest(fine, fine[1:]):
        if start_s < sound.end_s <= end_s + DECIDED_S:
            # At the call's end nobody can tell whether the agent would have gone on.
            silence_s = (following.start_s if following else ended_s) - sound.end_s
            known_ms = silence_s * 1000 if following else None
            if silence_s > RESUME_S:
                return Into(spoken, start_s, end_s, sound.end_s, known_ms, "stopped")
            if known_ms is not None and known_ms > (worst.silence_ms or 0):
                worst = Into(spoken, start_s, end_s, sound.end_s, known_ms, "paused")
    return worst


def _interruption(spoken: Spoken, start_s: float, end_s: float, fine: Sequence[Sound]) -> Into:
    at = next((n for n, each in enumerate(fine) if each.covers(start_s + _LOOK_BACK_S)), None)
    if at is None:
        # It had just ended by itself: nothing was left to stop.
        return Into(spoken, start_s, end_s, None, None, "undisturbed")
    silent_s = fine[at].end_s
    following = fine[at + 1].start_s if at + 1 < len(fine) else None
    silence_ms = None if following is None else (following - silent_s) * 1000
    outcome: Outcome = "stopped"
    if silent_s - start_s > _STOPPED_WITHIN_S:
        outcome = "missed"
    elif following is not None and following < end_s - _TALK_OVER_S:
        outcome = "resumed"
    return Into(spoken, start_s, end_s, silent_s, silence_ms, outcome)


def _dead_air(
    trace: Trace, spans: Sequence[Span], agent: Sequence[Sound], start_s: float
) -> list[tuple[float, float]]:
    """Silences in which the agent has the word: behind the answer and behind whatever the caller said.

    When the agent has spoken last, the next word is the caller's.
    """
    busy = [(start, end, True) for _, start, end in spans]
    busy += [(each.start_s, each.end_s, False) for each in agent]
    busy += [(begin, end, False) for begin, end in trace.quiet]
    found, since_s, agents_turn = [], start_s, True
    for begin, end, by_caller in sorted([*busy, (trace.ended_s, math.inf, False)]):
        if agents_turn and begin - since_s > DEAD_AIR_S:
            found.append((since_s, begin))
        if end > since_s:
            since_s, agents_turn = end, by_caller
    return found


def _mos(heard: Heard, one_way_ms: float) -> float:
    """G.107 with G.711's concealment; delay is a packet, the buffer and what is known of the network."""
    profile = codec_profile("PCMU")
    impairment = equipment_impairment(profile.ie, profile.bpl, heard.missing_share)
    return mos(rating(20 + heard.depth_ms + one_way_ms, impairment))
