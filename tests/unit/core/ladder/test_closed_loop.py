"""Ladders, monitor and a modelled network in one loop: what is sent decides what gets lost.

Minutes of a call in milliseconds: the sender takes the ladder's rung, the network is the impairer's model,
the monitor reads the receiver's counters once a second.
"""

from itertools import pairwise

import pytest

from gateway.core.ladder.codings import KNOWN, wire_bps
from gateway.core.ladder.commands import Negotiate, SipCoding, UseRung
from gateway.core.ladder.opus import OpusLadder, OpusSettings
from gateway.core.ladder.sip import Changed, Reports, SipLadder, SipSettings
from gateway.core.quality.codecs import codec_profile
from gateway.core.quality.monitor import Coding, QualityMonitor, QualityReport
from gateway.core.quality.reading import StreamReading
from gateway.impair.impairment import Impairment
from gateway.impair.model import HEADER_BYTES, Line

TICK_S = 0.02
LEAST_DELAY_OVER_S = 60


class Receiver:
    """Counts what arrives, as a card does."""

    def __init__(self) -> None:
        self._expected = self._lost = 0
        self._jitter_ms = 0.0
        self._before_ms: float | None = None
        self._second: list[float] = []
        self._fastest: list[float] = []

    def packet(self, delays_ms: list[float]) -> None:
        """One that was sent; empty if it is lost."""
        self._expected += 1
        self._lost += not delays_ms
        for delay_ms in delays_ms[:1]:
            if self._before_ms is not None:  # RFC 3550 §6.4.1
                self._jitter_ms += (abs(delay_ms - self._before_ms) - self._jitter_ms) / 16
            self._before_ms = delay_ms
            self._second.append(delay_ms)

    def reading(self) -> StreamReading:
        """Once a second."""
        fastest = min(self._second, default=0.0)
        self._fastest = [*self._fastest, fastest][-LEAST_DELAY_OVER_S:]
        self._second = []
        rise_ms = fastest - min(self._fastest)
        return StreamReading(self._expected, self._lost, jitter_ms=self._jitter_ms, delay_rise_ms=rise_ms)


class Path:
    """Sender, network, receiver and monitor of one direction."""

    def __init__(self, coding: Coding) -> None:
        self.now = 0.0
        self.line = Line(Impairment(delay_ms=30), 11)
        self.monitor = QualityMonitor(coding)
        self._receiver = Receiver()
        self._ticks = 0

    def second(self, wire_rate_bps: float, ptime_ms: int) -> QualityReport:
        """A second of packets of that length and rate, headers included."""
        wire_bytes = round(wire_rate_bps * ptime_ms / 8000)
        for _ in range(round(1 / TICK_S)):
            self._ticks += 1
            self.now += TICK_S
            if self._ticks * 20 % ptime_ms < 20:
                releases = self.line.releases(wire_bytes - HEADER_BYTES, self.now)
                self._receiver.packet([1000 * (at - self.now) for at in releases])
        return self.monitor.add(self._receiver.reading(), self.now)


class OpusCall:
    """A WebRTC direction that obeys its ladder."""

    def __init__(self) -> None:
        self.path = Path(Coding(codec_profile("OPUS", 32_000)))
        self.ladder = OpusLadder(OpusSettings(), 0.0)
        self.changes: list[tuple[float, str]] = []
        self.scores: list[float] = []

    def seconds(self, n: int, network: Impairment) -> None:
        self.path.line.change(network)
        for _ in range(n):
            rung = self.ladder.rung
            report = self.path.second(rung.wire_bps, rung.ptime_ms)
            self.scores.append(report.mos)
            for command in self.ladder.handle([report], self.path.now):
                if isinstance(command, UseRung):
                    self.changes.append((self.path.now, command.rung.name))
                    profile = codec_profile("OPUS", command.rung.bitrate_bps)
                    self.path.monitor.coding = Coding(profile, command.rung.ptime_ms, command.rung.fec)


class PhoneCall:
    """A phone leg, both directions alike, whose far end agrees to everything."""

    def __init__(self, codec: str = "PCMU") -> None:
        self.path = Path(Coding(codec_profile(codec)))
        self.ladder = SipLadder(SipSettings(), KNOWN, SipCoding(codec, 20), 0.0)
        self.changes: list[tuple[float, str]] = []

    def seconds(self, n: int, network: Impairment) -> None:
        self.path.line.change(network)
        for _ in range(n):
            coding = self.ladder.coding
            report = self.path.second(wire_bps(coding), coding.ptime_ms)
            self._obey(self.ladder.handle(Reports([report]), self.path.now))

    def _obey(self, commands: list[Negotiate]) -> None:
        for command in commands:
            self.changes.append((self.path.now, f"{command.coding.codec}/{command.coding.ptime_ms}"))
            self.ladder.handle(Changed(command.coding), self.path.now)


GOOD = Impairment(delay_ms=30)


def thin(kbps: float) -> Impairment:
    return Impairment(delay_ms=30, rate_bps=1000 * kbps, queue_ms=300)


@pytest.mark.parametrize(("kbps", "rung"), [(70, "32k/20ms"), (45, "24k/40ms"), (32, "20k/60ms")])
def test_opus_settles_where_the_path_carries_it(kbps: float, rung: str) -> None:
    call = OpusCall()
    call.seconds(30, GOOD)
    call.seconds(19, thin(kbps))
    assert call.ladder.rung.name == rung
    assert call.ladder.rung.wire_bps < 1000 * kbps


def test_opus_comes_back_when_the_path_does() -> None:
    call = OpusCall()
    call.seconds(30, GOOD)
    call.seconds(25, thin(32))
    call.seconds(180, GOOD)
    assert [name for _, name in call.changes] == ["24k/40ms", "20k/60ms", "24k/40ms", "32k/20ms"]


def test_a_path_that_stays_thin_is_tried_ever_more_seldom() -> None:
    call = OpusCall()
    call.seconds(30, GOOD)
    call.seconds(900, thin(45))
    ups = [at for at, name in call.changes if name == "32k/20ms"]
    gaps = [round(later - earlier) for earlier, later in pairwise(ups)]
    assert len(ups) <= 8, call.changes
    assert gaps == sorted(gaps)
    assert gaps[-1] > 150


def test_loss_is_answered_by_fec_and_heard_less() -> None:
    call = OpusCall()
    call.seconds(30, GOOD)
    call.seconds(60, Impairment(delay_ms=30, loss=0.06))
    assert [name for _, name in call.changes] == ["24k/40ms"]
    before = call.scores[30 + 4]
    assert call.scores[-1] > before + 0.1


def test_a_phone_call_on_a_thin_path_gives_up_bits_and_gets_them_back() -> None:
    call = PhoneCall()
    call.seconds(30, GOOD)
    call.seconds(15, thin(64))
    assert [name for _, name in call.changes] == ["ILBC/30"]
    call.seconds(60, GOOD)
    assert [name for _, name in call.changes] == ["ILBC/30", "PCMU/20"]


def test_a_very_thin_path_costs_every_rung() -> None:
    call = PhoneCall("G722")
    call.seconds(30, GOOD)
    call.seconds(60, thin(14.5))
    assert [name for _, name in call.changes][:3] == ["ILBC/30", "ILBC/60", "SPEEX/60"]


def test_a_path_that_polices_without_a_queue_is_found_out() -> None:
    call = PhoneCall()
    call.seconds(30, GOOD)
    call.seconds(120, Impairment(delay_ms=30, rate_bps=64_000, queue_ms=10))
    names = [name for _, name in call.changes]
    assert names[0] == "ILBC/30"
    assert call.ladder.coding == SipCoding("ILBC", 30)
    assert names.count("PCMU/20") <= 2, call.changes


def test_loss_by_chance_is_left_to_the_best_codec() -> None:
    call = PhoneCall("G722")
    call.seconds(30, GOOD)
    call.seconds(120, Impairment(delay_ms=30, loss=0.1))
    assert [name for _, name in call.changes] == ["PCMU/20", "ILBC/30", "PCMU/20"]


@pytest.mark.parametrize("jitter_ms", [40.0, 80.0, 150.0])
def test_pure_jitter_changes_no_codec(jitter_ms: float) -> None:
    phone, opus = PhoneCall(), OpusCall()
    for call in (phone, opus):
        call.seconds(30, GOOD)
        call.seconds(300, Impairment(delay_ms=30, jitter_ms=jitter_ms))
    assert (phone.changes, opus.changes) == ([], [])


def test_changes_are_never_closer_than_5_s_on_a_wild_network() -> None:
    call = OpusCall()
    wild = [
        thin(25),
        GOOD,
        Impairment(loss=0.3),
        thin(40),
        GOOD,
        Impairment(loss=0.08, burst_packets=4),
        GOOD,
    ]
    for n in range(60):
        call.seconds(7 + n % 11, wild[n % len(wild)])
    assert call.changes
    assert all(later - earlier > 4.99 for (earlier, _), (later, _) in pairwise(call.changes))
