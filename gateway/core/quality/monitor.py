"""How good one direction of a leg is, second by second: loss, bursts, delay, R and MOS. Pure.

Shares are taken over a sliding window, so that a single bad second shows and passes; gauges are averaged
exponentially. Counters that run backwards (a new stream of the same leg) start the window anew.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from gateway.core.quality.codecs import CodecProfile, residual_after_fec
from gateway.core.quality.emodel import equipment_impairment, mos, rating
from gateway.core.quality.reading import StreamReading

_GAUGE_WEIGHT: Final = 0.3
"""Of a new value of a gauge, once a second."""
_BASELINE_S: Final = 30.0
"""Half of how long the shortest round trip is remembered."""


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How the monitor looks."""

    window_s: float = 6.0
    """Over which shares are taken."""
    standing_s: float = 2.0
    """How long a rise of the delay must last to be a queue, where each packet's delay is measured."""
    stale_s: float = 12.0
    """After which a silent far end's last report counts for nothing."""
    assumed_rtt_ms: float = 40.0
    """For R, while nobody has measured it."""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """One direction of a leg, smoothed."""

    at_s: float
    loss: float
    """Share of packets that did not arrive, 0 to 1."""
    discarded: float
    """Share that arrived too late."""
    worst_loss: float
    """Loss between two readings in a row, the worst of the window."""
    burst_ratio: float
    """Mean run of losses over what chance alone makes; 1: no bursts, or not counted."""
    concealed: float | None
    """Share of the time that was made up; None where nobody counts."""
    jitter_ms: float
    jitter_buffer_ms: float
    rtt_ms: float | None
    queueing_ms: float | None
    """Delay that queues add which were empty lately: the least of a while; None when nothing tells."""
    available_bps: float | None
    stalled: bool
    one_way_ms: float
    """Mouth to ear within our reach: half the round trip, packet, codec, jitter buffer."""
    r_factor: float
    mos: float
    confidence: float
    """0 to 1: how much of a window these figures rest on, and how new they are."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How the audio of a direction is coded now."""

    profile: CodecProfile
    ptime_ms: int = 20
    fec: bool = False
    """Each packet carries the one before; only used where concealment is not counted."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    reading: StreamReading


class QualityMonitor:
    """One direction of one leg; times are monotonic seconds."""

    def __init__(self, coding: Coding, settings: MonitorSettings | None = None) -> None:
        self.coding = coding
        """Change it when the codec changes; the counters go on."""
        self._settings = settings or MonitorSettings()
        self._samples: deque[_Sample] = deque()
        self._jitter_ms: float | None = None
        self._buffer_ms: float | None = None
        self._rtt_ms: float | None = None
        self._least_rtts: tuple[float, float] | None = None
        """Of the present and of the previous baseline period."""
        self._period_began_s = 0.0
        self._rises: deque[tuple[float, float]] = deque()
        """(time, rise of the delay in ms) lately."""

    def add(self, reading: StreamReading, now: float) -> QualityReport:
        """Take the reading of this second, and say how things are."""
        self._keep(reading, now)
        self._jitter_ms = _averaged(self._jitter_ms, reading.jitter_ms)
        self._buffer_ms = _averaged(self._buffer_ms, reading.jitter_buffer_ms)
        if reading.rtt_ms is not None:
            self._rtt_ms = _averaged(self._rtt_ms, reading.rtt_ms)
            self._learn_least(reading.rtt_ms, now)
        self._keep_rise(reading, now)
        return self._report(reading, now)

    def _keep(self, reading: StreamReading, now: float) -> None:
        samples = self._samples
        if samples:
            last = samples[-1].reading
            if reading.expected < last.expected or reading.lost < last.lost:
                samples.clear()
            elif reading.reports is not None and reading.reports == last.reports:
                return  # counters as old as the last sample
        samples.append(_Sample(now, reading))
        # The oldest one kept is the base that the window is measured from.
        while len(samples) > 2 and now - samples[1].at_s >= self._settings.window_s:
            samples.popleft()

    def _learn_least(self, rtt_ms: float, now: float) -> None:
        if self._least_rtts is None:
            self._least_rtts, self._period_began_s = (rtt_ms, rtt_ms), now
            return
        present, previous = self._least_rtts
        if now - self._period_began_s >= _BASELINE_S:
            self._least_rtts, self._period_began_s = (rtt_ms, present), now
        else:
            self._least_rtts = (min(present, rtt_ms), previous)

    def _keep_rise(self, reading: StreamReading, now: float) -> None:
        """Only what stands is a queue (as RFC 8289 §3.1 has it), so the least of a while will count."""
        rise_ms, while_s = reading.delay_rise_ms, self._settings.standing_s
        if rise_ms is None and reading.rtt_ms is not None and self._least_rtts is not None:
            rise_ms, while_s = reading.rtt_ms - min(self._least_rtts), self._settings.window_s
        if rise_ms is not None:
            self._rises.append((now, max(0.0, rise_ms)))
        while self._rises and now - self._rises[0][0] >= while_s:
            self._rises.popleft()

    def _report(self, reading: StreamReading, now: float) -> QualityReport:
        base, last = self._samples[0], self._samples[-1]
        loss, discarded = _share(base, last, "lost"), _share(base, last, "discarded")
        burst_ratio, mean_run = _bursts(base.reading, last.reading, loss)
        concealed = _concealed(base, last)
        jitter_buffer_ms = self._buffer_ms or 0.0
        heard = self._heard_loss(loss, discarded, concealed, mean_run)
        heard = 1.0 if reading.stalled else heard
        coding = self.coding
        rtt_ms = self._settings.assumed_rtt_ms if self._rtt_ms is None else self._rtt_ms
        one_way_ms = rtt_ms / 2 + coding.ptime_ms + coding.profile.lookahead_ms + jitter_buffer_ms
        bpl = coding.profile.bpl_at(coding.ptime_ms)
        r = rating(one_way_ms, equipment_impairment(coding.profile.ie, bpl, heard, burst_ratio))
        return QualityReport(
            at_s=now,
            loss=loss,
            discarded=discarded,
            worst_loss=self._worst_loss(),
            burst_ratio=burst_ratio,
            concealed=concealed,
            jitter_ms=self._jitter_ms or 0.0,
            jitter_buffer_ms=jitter_buffer_ms,
            rtt_ms=self._rtt_ms,
            queueing_ms=min((rise_ms for _, rise_ms in self._rises), default=None),
            available_bps=reading.available_bps,
            stalled=reading.stalled,
            one_way_ms=one_way_ms,
            r_factor=r,
            mos=mos(r),
            confidence=self._confidence(reading, now),
        )

    def _heard_loss(self, loss: float, discarded: float, concealed: float | None, mean_run: float) -> float:
        """Share of the audio that was not there to be played."""
        if concealed is not None:
            return concealed
        if self.coding.fec:
            loss = residual_after_fec(loss, mean_run)
        return min(1.0, loss + discarded)

    def _worst_loss(self) -> float:
        samples = self._samples
        pairs = ((samples[i], samples[i + 1]) for i in range(len(samples) - 1))
        return max((_share(one, other, "lost") for one, other in pairs), default=0.0)

    def _confidence(self, reading: StreamReading, now: float) -> float:
        if reading.stalled:
            return 1.0
        base, last, settings = self._samples[0], self._samples[-1], self._settings
        if last.reading.expected == base.reading.expected:
            return 0.0
        covered = min(1.0, (last.at_s - base.at_s) / settings.window_s)
        left_s = settings.stale_s - (now - last.at_s)
        return covered * min(1.0, max(0.0, left_s / (settings.stale_s - settings.window_s)))


def _averaged(before: float | None, new: float) -> float:
    return new if before is None else before + _GAUGE_WEIGHT * (new - before)


def _share(base: _Sample, last: _Sample, counter: str) -> float:
    expected = last.reading.expected - base.reading.expected
    gone: int = getattr(last.reading, counter) - getattr(base.reading, counter)
    return min(1.0, max(0, gone) / expected) if expected > 0 else 0.0


def _bursts(base: StreamReading, last: StreamReading, loss: float) -> tuple[float, float]:
    """(burst ratio of G.107 §7.5, mean run of losses in packets)."""
    by_chance = 1 / max(1e-3, 1 - loss)
    if base.loss_runs is None or last.loss_runs is None:
        return 1.0, by_chance
    runs = last.loss_runs - base.loss_runs
    if runs <= 0:
        return 1.0, by_chance
    mean_run = max(1.0, (last.lost - base.lost) / runs)
    return max(1.0, mean_run / by_chance), mean_run


def _concealed(base: _Sample, last: _Sample) -> float | None:
    before, now = base.reading.concealed_ms, last.reading.concealed_ms
    if before is None or now is None or last.at_s <= base.at_s:
        return None
    return min(1.0, max(0.0, now - before) / ((last.at_s - base.at_s) * 1000))
