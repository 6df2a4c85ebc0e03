"""Who speaks when, measured: the caller's onsets and ends, response delays, barge-in stops. Pure.

Fed with one voice-activity flag per 20 ms frame and with the moments the card reports. It measures;
it does not decide (the backend's turn detection does).
"""

from dataclasses import dataclass
from typing import Final

_WINDOW: Final = 0b11111
_ONSET_FRAMES: Final = 4
"""Of the last five frames: shorter bursts are clicks."""
_END_FRAMES: Final = 15
"""300 ms without speech end an utterance."""
_FRAME_S: Final = 0.02
_ONSET_VALID_S: Final = 2.0
"""An onset older than this did not cause a barge-in that is reported now."""


_OVERLAP_S: Final = 0.1
"""Speech that was heard so lately goes on."""


@dataclass(frozen=True, slots=True)
class ResponseParts:
    """Where a response delay was spent; the parts add up to it."""

    detection_ms: float
    """Until the caller's turn was known to be over."""
    backend_ms: float
    """Until the service's first audio came."""
    gateway_ms: float
    """Until it was on its way to the card."""
    playout_ms: float
    """Until it was on the wire."""


class TurnMeter:
    """Measures the turns of one call; times are monotonic seconds."""

    def __init__(self) -> None:
        self._history = 0
        self._silent_frames = 0
        self._speaking = False
        self._onset_at: float | None = None
        self._last_speech_at: float | None = None
        self._unanswered_since: float | None = None
        self._over_at: float | None = None
        self._came_at: float | None = None
        self._passed_at: float | None = None
        self.parts: ResponseParts | None = None
        """Of the last response delay; None if they are not known."""
        self.response_delays_ms: list[float] = []
        """One per answered turn of the caller."""
        self.barge_in_stops_ms: list[float] = []
        """One per barge-in that stopped playout."""

    @property
    def speaking(self) -> bool:
        """Whether the caller speaks now."""
        return self._speaking

    def caller_frame(self, speech: bool, now: float) -> None:
        """One 20 ms frame of the caller that ended at `now`. Hot path."""
        self._history = (self._history << 1 | speech) & _WINDOW
        if speech:
            self._silent_frames = 0
            if self._speaking:
                self._last_speech_at = now
            elif self._history.bit_count() >= _ONSET_FRAMES:
                self._speaking = True
                self._onset_at = now - self._history.bit_length() * _FRAME_S
                self._last_speech_at = now
        elif self._speaking:
            self._silent_frames += 1
            if self._silent_frames >= _END_FRAMES:
                self._speaking = False

    def turn_over(self, now: float | None = None) -> None:
        """It was decided (`now`, if known) that the caller's turn has ended.

        A turn in which no speech was seen here leaves no end to measure from.
        """
        if self._last_speech_at is not None:
            self._unanswered_since, self._last_speech_at = self._last_speech_at, None
            self._over_at, self._came_at, self._passed_at = now, None, None

    def turn_void(self) -> None:
        """The turn that is over gets no answer: it was none."""
        self._unanswered_since = self._over_at = self._came_at = self._passed_at = None

    @property
    def awaits_answer(self) -> bool:
        """Whether the service owes the first audio of an answer."""
        return self._over_at is not None and self._came_at is None

    def answer_came(self, now: float) -> None:
        """The first audio of the answer came from the service."""
        self._came_at = now

    def answer_passed_on(self, now: float) -> None:
        """It is on its way to the card."""
        self._passed_at = now

    def agent_started(self, at_s: float) -> float | None:
        """First audio of an answer on the wire; the response delay in ms if it answers a turn."""
        if self._unanswered_since is None:
            return None
        delay_ms = (at_s - self._unanswered_since) * 1000
        self.parts = self._split(self._unanswered_since, at_s)
        self._unanswered_since = self._over_at = self._came_at = self._passed_at = None
        self.response_delays_ms.append(delay_ms)
        return delay_ms

    def _split(self, began: float, ended: float) -> ResponseParts | None:
        if self._over_at is None or self._came_at is None or self._passed_at is None:
            return None
        # A clock that is read in two processes may seem to run backwards by a little.
        over = min(max(began, self._over_at), ended)
        came = min(max(over, self._came_at), ended)
        passed = min(max(came, self._passed_at), ended)
        return ResponseParts(
            (over - began) * 1000, (came - over) * 1000, (passed - came) * 1000, (ended - passed) * 1000
        )

    def caller_speaks_at(self, at_s: float) -> bool:
        """Whether the caller is in the middle of words."""
        last = self._last_speech_at
        return self._speaking and last is not None and at_s - last <= _OVERLAP_S

    def barge_in_from(self, now: float) -> float:
        """When the interruption that is reported at `now` began."""
        recent = self._onset_at is not None and now - self._onset_at <= _ONSET_VALID_S
        return self._onset_at if recent and self._onset_at is not None else now

    def stopped(self, onset_at: float, silent_at: float) -> float:
        """Playout fell silent for an interruption; the stop time in ms."""
        stop_ms = max(0.0, (silent_at - onset_at) * 1000)
        self.barge_in_stops_ms.append(stop_ms)
        return stop_ms
