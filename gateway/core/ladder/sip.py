"""The ladder of a phone leg: codec and packet time by re-INVITE. Pure.

Steps down:

    thin   → longer packets where headers are much of the rate, else the codec with the fewest bits
    lossy  → the codec with the best predicted MOS at this loss; if there is none, fewer bits on `trial`;
             or, if so configured, wideband → G.711 → iLBC, whose decoders all hide loss
    jitter → nothing (see `buffer`)

Steps up go back the way that was come, one at a time. One request is under way at a time, and none while the
leg is on hold or being transferred. A far end that refuses keeps what it has:

    unsupported (488, 415, 606) → that codec (or packet time) is barred for a while, longer each time
    glare (491)                 → a few seconds' pause (RFC 3261 §14.1)
    timeout (408, 5xx, nothing) → a long pause, longer each time
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, assert_never

from gateway.core.ladder.codings import (
    KNOWN,
    against_thinness,
    best_against_loss,
    fewer_bits,
    predicted_rating,
    robust_against_loss,
    wire_bps,
)
from gateway.core.ladder.commands import Negotiate, SipCoding
from gateway.core.ladder.pace import Direction, Pace, PaceSettings
from gateway.core.ladder.trial import LeanTrial
from gateway.core.ladder.trouble import Thresholds, Verdict, judge, worst
from gateway.core.quality.monitor import QualityReport

RefusalCause = Literal["unsupported", "glare", "timeout"]
AgainstLoss = Literal["best", "ilbc"]
"""best: by the rating that is predicted, which takes it that the far end's decoder hides loss as ours do."""

_LEAN: Final = 0.5
"""Share of the rate that a trial must come down to."""


@dataclass(frozen=True, slots=True)
class SipSettings:
    """Per trunk."""

    codecs: tuple[str, ...] = KNOWN
    """What the trunk allows, in the order it prefers."""
    most_ptime_ms: int = 60
    lossy: AgainstLoss = "best"
    answer_within_s: float = 32.0
    """64 * T1, after which a request without an answer has failed (RFC 3261 §17.1.1.2)."""
    barred_s: float = 120.0
    """How long a refused coding is not asked for again; doubles with each refusal."""
    most_barred_s: float = 1800.0
    refused_pause_s: float = 20.0
    """After a refusal, before anything else is asked for."""
    glare_pause_s: float = 4.0
    timeout_pause_s: float = 60.0
    trial_pause_s: float = 300.0
    """After fewer bits were tried in vain; doubles each time."""
    most_trial_pause_s: float = 3600.0
    thresholds: Thresholds = field(default_factory=Thresholds)
    pace: PaceSettings = field(default_factory=PaceSettings)


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports of this second, of both directions: a phone call has one codec for both."""

    reports: Sequence[QualityReport]


@dataclass(frozen=True, slots=True)
class Changed:
    """Offer and answer agreed on a coding, at our request or the far end's."""

    coding: SipCoding


@dataclass(frozen=True, slots=True)
class Refused:
    """The far end did not take what was asked for."""

    cause: RefusalCause


@dataclass(frozen=True, slots=True)
class Busy:
    """The leg's session must not be touched: hold, transfer. Or it may be again."""

    busy: bool


SipEvent = Reports | Changed | Refused | Busy


_Barred = dict[str | SipCoding, tuple[float, float]]
"""A codec, or a packet time of a codec: until when, and for how long it is."""


@dataclass(frozen=True, slots=True)
class _Asked:
    coding: SipCoding
    direction: Direction
    sideways: bool
    until: float
    trial_loss: float | None = None
    """Of a trial: what it is to do away with."""


@dataclass(frozen=True, slots=True)
class _Step:
    coding: SipCoding
    trial: bool = False


class SipLadder:
    """One leg; times are monotonic seconds."""

    def __init__(
        self, settings: SipSettings, offered: Sequence[str], now_used: SipCoding, now: float
    ) -> None:
        """offered: the far end's codecs, as `SipCoding` names them."""
        self.coding = now_used
        """What is spoken now."""
        self.stuck = False
        """There is trouble, and nothing left to ask for against it."""
        self._settings = settings
        self._offered = tuple(each for each in settings.codecs if each in KNOWN and each in offered)
        self._pace = Pace(settings.pace, now)
        self._better: list[SipCoding] = []
        """Where steps down came from; the last one is the next step up."""
        self._asked: _Asked | None = None
        self._busy = False
        self._barred: _Barred = {}
        self._timeout_pause_s = settings.timeout_pause_s
        self._trial = LeanTrial(settings.trial_pause_s, settings.most_trial_pause_s)

    def handle(self, event: SipEvent, now: float) -> list[Negotiate]:
        """Something happened."""
        match event:
            case Reports(reports=reports):
                return self._judge(reports, now)
            case Changed(coding=coding):
                self._changed(coding, now)
            case Refused(cause=cause):
                self._refused(cause, now)
            case Busy(busy=busy):
                self._busy = busy
                self._pace.forget()
                self._trial.delay(now)
            case _:
                assert_never(event)
        return []

    def next_deadline(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        return self._asked.until if self._asked is not None else None

    def handle_timeout(self, now: float) -> list[Negotiate]:
        """The deadline has passed."""
        if self._asked is not None and now >= self._asked.until:
            self._refused("timeout", now)
        return []

    def _judge(self, reports: Sequence[QualityReport], now: float) -> list[Negotiate]:
        rate = wire_bps(self.coding)
        verdict = worst([judge(report, self._settings.thresholds, rate) for report in reports])
        if self._busy or self._asked is not None or verdict.trouble in ("stalled", "unknown"):
            self._pace.forget()
            given_up = self._asked is not None and self._asked.direction == "up" and self.stuck
            self.stuck = (verdict.trouble == "stalled" or given_up) and not self._busy
            return []
        back = self._back(verdict, now)
        if back is not None:
            return self._ask(back, "up", verdict.describe() + "; fewer bits did not help", now)
        down = self._down(verdict, now)
        trouble = verdict.trouble in ("lossy", "thin")
        self.stuck = trouble and down is None
        self._pace.observe(trouble=trouble, remedy=down is not None, good=verdict.trouble == "good", now=now)
        due = self._pace.due(now)
        if due == "down" and down is not None:
            trial_loss = verdict.loss if down.trial else None
            return self._ask(down.coding, "down", verdict.describe(), now, trial_loss)
        up = self._up(now) if due == "up" else None
        return self._ask(up, "up", verdict.describe(), now) if up is not None else []

    def _usable(self, now: float) -> "_Usable":
        return _Usable(self._barred, now)

    def _back(self, verdict: Verdict, now: float) -> SipCoding | None:
        if verdict.trouble == "thin":
            self._trial.drop()
        back = self._trial.in_vain(verdict.loss, now)
        return back if back is not None and self._usable(now)(back) else None

    def _down(self, verdict: Verdict, now: float) -> _Step | None:
        usable, settings = self._usable(now), self._settings
        coding = None
        if verdict.trouble == "thin":
            coding = against_thinness(self.coding, self._offered, usable, settings.most_ptime_ms)
        elif verdict.trouble == "lossy" and settings.lossy == "ilbc":
            coding = robust_against_loss(self.coding, self._offered, usable)
        elif verdict.trouble == "lossy":
            return self._best_against_loss(verdict, now)
        return _Step(coding) if coding is not None else None

    def _best_against_loss(self, verdict: Verdict, now: float) -> _Step | None:
        def rated(coding: SipCoding) -> float:
            return predicted_rating(coding, verdict.loss, verdict.burst_ratio)

        usable, most_ptime_ms = self._usable(now), self._settings.most_ptime_ms
        best = best_against_loss(self.coding, self._offered, usable, most_ptime_ms, rated)
        if best is not None:
            return _Step(best)
        lean = fewer_bits(self.coding, self._offered, usable, _LEAN)
        if lean is None or not self._trial.worthwhile(self.coding, lean, verdict, now):
            return None
        return _Step(lean, trial=True)

    def _up(self, now: float) -> SipCoding | None:
        usable = self._usable(now)
        return next((coding for coding in reversed(self._better) if usable(coding)), None)

    def _ask(
        self, coding: SipCoding, direction: Direction, why: str, now: float, trial_loss: float | None = None
    ) -> list[Negotiate]:
        # From a frugal codec to a robust one is no step towards fewer bits, so no rung on the way back.
        sideways = direction == "down" and wire_bps(coding) >= wire_bps(self.coding)
        until = now + self._settings.answer_within_s
        self._asked = _Asked(coding, direction, sideways, until, trial_loss)
        self._pace.pause(now + self._settings.pace.spacing_s)
        return [Negotiate(coding, why)]

    def _changed(self, coding: SipCoding, now: float) -> None:
        asked, before = self._asked, self.coding
        self._asked, self.coding = None, coding
        self._pace.forget()
        if coding != before:
            self._trial.drop()
        if coding == before:
            if asked is not None:  # answered with what there was: a refusal in kind
                self._bar(asked.coding, now)
                self._pace.pause(now + self._settings.refused_pause_s)
        elif asked is None or coding.codec != asked.coding.codec:
            self._better.clear()  # the far end's own wish: the way back is its business
            self._pace.pause(now + self._settings.pace.spacing_s)
        else:
            self._succeeded(asked, before, now)

    def _succeeded(self, asked: _Asked, before: SipCoding, now: float) -> None:
        self._pace.moved(asked.direction, now)
        self._timeout_pause_s = self._settings.timeout_pause_s
        if asked.trial_loss is not None:
            self._trial.begin(before, asked.trial_loss, now)
        if asked.direction == "up":
            while self._better and self._better.pop() != asked.coding:
                pass
        elif asked.sideways and self._better:
            self._better = [each for each in self._better if wire_bps(each) > wire_bps(self.coding)]
        else:
            self._better.append(before)

    def _refused(self, cause: RefusalCause, now: float) -> None:
        asked, settings = self._asked, self._settings
        if asked is None:
            return
        self._asked = None
        self._pace.forget()
        match cause:
            case "unsupported":
                self._bar(asked.coding, now)
                self._pace.pause(now + settings.refused_pause_s)
            case "glare":
                self._pace.pause(now + settings.glare_pause_s)
            case "timeout":
                self._pace.pause(now + self._timeout_pause_s)
                self._timeout_pause_s = min(2 * self._timeout_pause_s, settings.most_barred_s)
            case _:
                assert_never(cause)

    def _bar(self, coding: SipCoding, now: float) -> None:
        what = coding if coding.codec == self.coding.codec else coding.codec
        _, before_s = self._barred.get(what, (0.0, 0.0))
        length_s = min(max(self._settings.barred_s, 2 * before_s), self._settings.most_barred_s)
        self._barred[what] = (now + length_s, length_s)


class _Usable:
    """Whether a coding may be asked for at a moment."""

    def __init__(self, barred: _Barred, now: float) -> None:
        self._barred, self._now = barred, now

    def __call__(self, coding: SipCoding) -> bool:
        bars = (self._barred.get(coding), self._barred.get(coding.codec))
        return all(bar is None or self._now >= bar[0] for bar in bars)
