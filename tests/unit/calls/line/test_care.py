"""What a hopeless line, other settings and odd orders of events lead to."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from gateway.calls.line.care import LineCare
from gateway.calls.line.ladders import Ladders
from gateway.calls.party import Party
from gateway.core.ids import LegId
from gateway.core.ladder.sip import SipSettings
from gateway.core.record import TimelineKind as K
from gateway.legs.loopback import LoopbackLeg
from gateway.wire import card as wire
from tests.unit.calls.journals import Clock, journal

TIERS = ("PCMU/20", "ILBC/30", "G722/20")
TO_ILBC = Ladders(phone=SipSettings(lossy="ilbc"))
LEG = LegId(1)


class Line:
    """A leg whose reports are made up here, second by second."""

    def __init__(self, ladders: Ladders | None = None, trunk: str = "") -> None:
        self.clock = Clock()
        self.leg = LoopbackLeg(self.clock, tier="PCMU/20", tiers=TIERS)
        self.journal = journal(self.clock)
        self.party = Party("caller", "caller", self.leg, "")
        self.hopeless: list[float] = []
        self.care = LineCare(
            self.party,
            self.journal,
            ladders or TO_ILBC,
            self.clock,
            trunk=trunk,
            on_hopeless=lambda: self.hopeless.append(self.clock.now),
        )
        self._received = self._lost = 0

    def media(self, codec: str = "PCMU", ptime_ms: int = 20, *, held: bool = False) -> None:
        offered = ("G722", "PCMU", "ILBC")
        self.care.on_event(wire.MediaChanged(LEG, codec, 8000, ptime_ms, False, held, offered))

    def seconds(self, count: int, loss: float = 0.0, *, packets: int = 50) -> None:
        for _ in range(count):
            self.clock.now += 1.0
            lost = round(packets * loss)
            self._received, self._lost = self._received + packets - lost, self._lost + lost
            self.care.on_event(quality(self._received, self._lost))


def quality(received: int, lost: int) -> wire.Quality:
    return wire.Quality(
        leg=LEG,
        rx_packets=received,
        rx_lost=lost,
        rx_discarded=0,
        rx_jitter_ms=1.0,
        jitter_buffer_ms=20.0,
        tx_packets=received,
        tx_lost=-1,
        tx_jitter_ms=0.0,
        rtt_ms=-1.0,
        underruns=0,
        playout_dropped_ms=0,
    )


@pytest.fixture
async def line() -> Line:
    return Line()


async def test_hopeless_is_told_again_as_long_as_it_lasts(line: Line) -> None:
    line.media()
    line.seconds(10, 0.4)
    assert line.leg.tiers_wanted == ["ILBC/30"]
    line.media("ILBC", 30)
    line.seconds(12, 0.4)
    assert len(line.hopeless) == 1
    line.seconds(15, 0.4)
    assert len(line.hopeless) == 2
    line.seconds(60, 0.0)
    assert len(line.hopeless) == 2


async def test_a_bad_line_that_a_rung_helps_is_not_hopeless(line: Line) -> None:
    line.media()
    line.seconds(40, 0.05)
    assert line.leg.tiers_wanted
    assert line.hopeless == []


async def test_a_stalled_line_is_hopeless_until_packets_come(line: Line) -> None:
    line.media()
    line.seconds(10)
    line.care.on_event(wire.RtpStalled(LEG, 8.0))
    line.seconds(12, packets=0)
    assert len(line.hopeless) == 1
    line.seconds(30)
    assert len(line.hopeless) == 1


async def test_a_trunk_has_its_own_ladder() -> None:
    strict = replace(TO_ILBC, trunks={"pbx": SipSettings(codecs=("PCMU", "G722"))})
    for trunk, wanted in (("pbx", []), ("", ["ILBC/30"])):
        line = Line(strict, trunk)
        line.media()
        line.seconds(10, 0.05)
        assert line.leg.tiers_wanted == wanted


async def test_without_a_ladder_the_line_is_watched_all_the_same() -> None:
    line = Line(Ladders(phone=None))
    line.media()
    line.seconds(20, 0.1)
    assert line.leg.tiers_wanted == []
    assert len(line.journal.figures.line.points) >= 15
    assert (line.journal.figures.line.mos_min or 5.0) < 3.5


async def test_only_codecs_that_both_ends_know_are_asked_for() -> None:
    line = Line()
    line.care.on_event(wire.MediaChanged(LEG, "PCMU", 8000, 20, False, False, ("PCMU", "GSM", "SPEEX")))
    line.seconds(10, 0.05)
    assert line.leg.tiers_wanted == []


async def test_the_far_end_may_change_its_codec_by_itself(line: Line) -> None:
    line.media()
    line.seconds(10)
    line.media("G722")
    (change,) = [event for event in line.journal.events if event.kind is K.TIER]
    assert (change.fields["before"], change.fields["after"]) == ("PCMU/20", "G722/20")
    assert change.fields["reason"] == "the far end's wish"


async def test_quality_before_media_is_left_alone(line: Line) -> None:
    line.seconds(3)
    assert line.journal.figures.line.points == ()


async def test_a_person_s_line_is_steered_but_not_written_down() -> None:
    line = Line()
    person = Party("person1", "person", line.leg, "")
    line.care = LineCare(person, line.journal, TO_ILBC, line.clock)
    line.media()
    line.seconds(10, 0.05)
    assert line.leg.tiers_wanted == ["ILBC/30"]
    assert line.journal.figures.line.points == ()


async def test_a_party_passes_its_events_to_its_care(line: Line) -> None:
    seen: list[object] = []
    line.party.care = seen.append
    event = msgspec.structs.replace(quality(1, 0), rtt_ms=1.0)
    line.party.on_leg_event(event)
    assert seen == [event]
    await asyncio.sleep(0)


async def test_a_trial_in_vain_puts_off_the_word_that_nothing_helps_by_no_more_than_itself() -> None:
    line = Line(Ladders())
    line.media()
    line.seconds(8, 0.4)
    assert line.leg.tiers_wanted == ["ILBC/30"]
    line.media("ILBC", 30)
    line.seconds(13, 0.4)
    assert line.leg.tiers_wanted == ["ILBC/30", "PCMU/20"]
    line.media()
    assert len(line.hopeless) == 1
