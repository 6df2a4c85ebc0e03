"""What a caller experiences, worked out from what the phone said and heard. Pure.

The figures are taken at the phone's own ear and mouth, so they contain the network and the phone's
jitter buffer; the gateway's own figures for the same call are smaller by that much.
"""

import math
from dataclasses import dataclass, field

from gateway.softphone.detector import SoundEvent, SoundStarted, SoundStopped


@dataclass(frozen=True, slots=True)
class Sound:
    """One stretch in which the far end was audible, pauses between words included."""

    start_s: float
    """First loud frame."""
    end_s: float | None
    """End of the last loud frame; None while it goes on."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording that the phone spoke, from its first to its last loud frame."""

    name: str
    """What was spoken, e.g. the file's name."""
    start_s: float
    """First loud frame on the wire: the onset."""
    end_s: float
    """End of the last loud frame on the wire."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of the phone and how the far end took it."""

    name: str
    """What was spoken."""
    interrupted: bool
    """The far end was audible when the phone began."""
    barge_in_stop_ms: float | None
    """Onset to the far end's silence; None if nothing was interrupted or it did not stop."""
    response_delay_ms: float | None
    """End of the utterance to the far end's next sound; None if none came before the next turn."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The whole call, as the phone experienced it."""

    setup_ms: float | None = None
    """INVITE to 200."""
    first_utterance_ms: float | None = None
    """200 to the first audible frame."""
    turns: tuple[Turn, ...] = ()
    """Every utterance of the phone, in order."""

    @property
    def barge_in_stop_ms(self) -> tuple[float, ...]:
        """Of every interruption that worked."""
        return tuple(t.barge_in_stop_ms for t in self.turns if t.barge_in_stop_ms is not None)

    @property
    def response_delay_ms(self) -> tuple[float, ...]:
        """Of every turn that was answered."""
        return tuple(t.response_delay_ms for t in self.turns if t.response_delay_ms is not None)


@dataclass(slots=True)
class CallLog:
    """Collects the moments of one call; `figures()` may be asked at any time."""

    invited_s: float | None = None
    """When the INVITE was sent."""
    answered_s: float | None = None
    """When the 200 arrived."""
    sounds: list[Sound] = field(default_factory=list)
    """What was heard after the answer, in order."""
    utterances: list[Utterance] = field(default_factory=list)
    """What was spoken, in order."""

    def heard(self, event: SoundEvent) -> None:
        """Take what the detector of the receiving direction found."""
        match event:
            case SoundStarted(at_s):
                self.sounds.append(Sound(at_s, None))
            case SoundStopped(at_s):
                self.sounds[-1] = Sound(self.sounds[-1].start_s, at_s)

    def said(self, utterance: Utterance) -> None:
        """Take one utterance of the phone, once it has been spoken."""
        self.utterances.append(utterance)

    def figures(self) -> Figures:
        """Everything measured so far."""
        setup = _ms(self.invited_s, self.answered_s)
        first = next((s.start_s for s in self.sounds), None) if self.answered_s is not None else None
        return Figures(setup, _ms(self.answered_s, first), tuple(self._turns()))

    def _turns(self) -> list[Turn]:
        limits = [u.start_s for u in self.utterances[1:]] + [math.inf]
        return [self._turn(u, limit) for u, limit in zip(self.utterances, limits, strict=False)]

    def _turn(self, spoken: Utterance, limit_s: float) -> Turn:
        talking = next((s for s in self.sounds if _covers(s, spoken.start_s)), None)
        stop = _ms(spoken.start_s, talking.end_s) if talking else None
        answer = next((s.start_s for s in self.sounds if spoken.end_s <= s.start_s < limit_s), None)
        return Turn(spoken.name, talking is not None, stop, _ms(spoken.end_s, answer))


def _covers(sound: Sound, at_s: float) -> bool:
    return sound.start_s <= at_s and (sound.end_s is None or at_s < sound.end_s)


def _ms(start_s: float | None, end_s: float | None) -> float | None:
    if start_s is None or end_s is None:
        return None
    return round((end_s - start_s) * 1000, 1)
