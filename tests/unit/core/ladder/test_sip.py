"""The ladder of a phone leg: every rung, refusals, glare, hold, the far end's own mind."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ladder.codings import KNOWN
from gateway.core.ladder.commands import Negotiate, SipCoding
from gateway.core.ladder.sip import Busy, Changed, RefusalCause, Refused, Reports, SipLadder, SipSettings
from gateway.core.quality.monitor import QualityReport
from tests.unit.core.ladder import paths

PCMU, ILBC = SipCoding("PCMU", 20), SipCoding("ILBC", 30)
Answer = Callable[[SipCoding], Changed | Refused | None]


def agree(asked: SipCoding) -> Changed:
    return Changed(asked)


def refuse(cause: RefusalCause) -> Answer:
    return lambda _asked: Refused(cause)


class Leg:
    """A ladder with a report a second, and a far end that answers 100 ms later.

    Loss leads to iLBC unless `settings` say otherwise; see `test_best` for the codec that is predicted best.
    """

    def __init__(self, offered: Sequence[str] = KNOWN, start: SipCoding = PCMU, **settings: object) -> None:
        self.now = 100.0
        chosen = {"lossy": "ilbc", **settings}
        self.ladder = SipLadder(replace(SipSettings(), **chosen), offered, start, self.now)  # type: ignore[arg-type]
        self.answer: Answer = agree
        self.asked: list[tuple[float, SipCoding]] = []

    def seconds(self, n: int, *reports: QualityReport) -> list[str]:
        """What was asked for meanwhile."""
        before = len(self.asked)
        for _ in range(n):
            deadline = self.ladder.next_deadline()
            if deadline is not None and deadline <= self.now:
                self._do(self.ladder.handle_timeout(self.now))
            self._do(self.ladder.handle(Reports(reports), self.now))
            self.now += 1.0
        return [f"{each.codec}/{each.ptime_ms}" for _, each in self.asked[before:]]

    def _do(self, commands: list[Negotiate]) -> None:
        for command in commands:
            assert command.coding != self.ladder.coding
            self.asked.append((self.now, command.coding))
            answer = self.answer(command.coding)
            if answer is not None:
                self._do(self.ladder.handle(answer, self.now + 0.1))


@pytest.fixture
def leg() -> Leg:
    return Leg()


def test_loss_goes_to_ilbc_and_back(leg: Leg) -> None:
    assert leg.seconds(30, paths.LOSSY) == ["ILBC/30"]
    assert leg.ladder.stuck
    assert leg.seconds(60, paths.GOOD) == ["PCMU/20"]
    assert leg.ladder.coding == PCMU


def test_wideband_goes_down_every_rung_and_up_every_rung() -> None:
    leg = Leg(start=SipCoding("G722", 20))
    assert leg.seconds(30, paths.LOSSY) == ["PCMU/20", "ILBC/30"]
    assert leg.seconds(90, paths.GOOD) == ["PCMU/20", "G722/20"]


def test_thinness_goes_down_every_rung_and_up_every_rung(leg: Leg) -> None:
    assert leg.seconds(60, paths.THIN) == ["ILBC/30", "ILBC/60", "SPEEX/60"]
    assert leg.ladder.stuck
    assert leg.seconds(120, paths.GOOD) == ["ILBC/60", "ILBC/30", "PCMU/20"]


def test_packets_get_longer_step_by_step_and_shorter_again() -> None:
    leg = Leg(offered=("PCMU", "GSM"))
    assert leg.seconds(60, paths.THIN) == ["GSM/20", "GSM/40", "GSM/60"]
    assert leg.seconds(120, paths.GOOD) == ["GSM/40", "GSM/20", "PCMU/20"]


def test_loss_after_thinness_moves_sideways_and_then_straight_back(leg: Leg) -> None:
    leg.seconds(30, paths.THIN)
    assert leg.ladder.coding == SipCoding("SPEEX", 60)
    assert leg.seconds(20, paths.LOSSY) == ["ILBC/60"]
    assert leg.seconds(60, paths.GOOD) == ["ILBC/30", "PCMU/20"]


def test_pure_jitter_changes_no_codec(leg: Leg) -> None:
    assert leg.seconds(300, paths.JITTERY) == []


def test_one_bad_direction_is_enough_and_one_good_is_not(leg: Leg) -> None:
    assert leg.seconds(10, paths.GOOD, paths.LOSSY) == ["ILBC/30"]
    assert leg.seconds(60, paths.GOOD, paths.LOSSY) == []
    assert leg.seconds(30, paths.GOOD, paths.UNKNOWN) == ["PCMU/20"], "a far end without RTCP"


def test_only_what_far_end_and_trunk_agree_on_is_asked_for() -> None:
    assert Leg(offered=("PCMU", "GSM")).seconds(60, paths.LOSSY) == []
    assert Leg(codecs=("PCMU", "GSM")).seconds(30, paths.THIN) == ["GSM/20", "GSM/40", "GSM/60"]


def test_a_refused_codec_is_not_asked_for_again_for_ever_longer_times(leg: Leg) -> None:
    leg.answer = refuse("unsupported")
    leg.seconds(1000, paths.LOSSY)
    times = [at for at, _ in leg.asked]
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [123, 243, 483]
    assert leg.ladder.coding == PCMU


def test_after_a_refusal_another_codec_may_be_tried_a_little_later(leg: Leg) -> None:
    def no_ilbc(asked: SipCoding) -> Changed | Refused:
        return Refused("unsupported") if asked.codec == "ILBC" else Changed(asked)

    leg.answer = no_ilbc
    assert leg.seconds(28, paths.THIN)[:2] == ["ILBC/30", "SPEEX/20"]
    assert leg.asked[1][0] - leg.asked[0][0] > 20


def test_a_far_end_that_answers_with_what_it_had_has_refused(leg: Leg) -> None:
    leg.answer = lambda _asked: Changed(PCMU)
    assert leg.seconds(100, paths.LOSSY) == ["ILBC/30"]


def test_refused_packet_times_bar_only_themselves() -> None:
    leg = Leg(offered=("PCMU",))
    leg.answer = lambda asked: Refused("unsupported") if asked.ptime_ms == 40 else Changed(asked)
    assert leg.seconds(60, paths.THIN) == ["PCMU/40", "PCMU/60"]


def test_glare_is_tried_again_after_a_few_seconds(leg: Leg) -> None:
    answers: list[Changed | Refused] = [Refused("glare"), Changed(ILBC)]
    leg.answer = lambda _asked: answers.pop(0)
    assert leg.seconds(30, paths.LOSSY) == ["ILBC/30", "ILBC/30"]
    assert leg.asked[1][0] - leg.asked[0][0] >= 5
    assert leg.ladder.coding == ILBC


def test_silence_of_the_far_end_is_a_refusal_after_32_s(leg: Leg) -> None:
    leg.answer = lambda _asked: None
    leg.seconds(30, paths.LOSSY)
    assert leg.ladder.next_deadline() == leg.asked[0][0] + 32
    leg.seconds(400, paths.LOSSY)
    times = [at for at, _ in leg.asked]
    gaps = [round(later - earlier) for earlier, later in pairwise(times)]
    assert gaps[0] == pytest.approx(32 + 60, abs=1)
    assert gaps[1] == pytest.approx(32 + 120, abs=1)


def test_hold_and_transfer_defer_everything(leg: Leg) -> None:
    leg.ladder.handle(Busy(True), leg.now)
    assert leg.seconds(60, paths.LOSSY) == []
    leg.ladder.handle(Busy(False), leg.now)
    assert leg.seconds(2, paths.LOSSY) == [], "what was seen on hold does not count"
    assert leg.seconds(5, paths.LOSSY) == ["ILBC/30"]


def test_a_request_under_way_when_hold_begins_still_ends(leg: Leg) -> None:
    leg.answer = lambda _asked: None
    leg.seconds(5, paths.LOSSY)
    leg.ladder.handle(Busy(True), leg.now)
    leg.ladder.handle(Changed(ILBC), leg.now)
    leg.ladder.handle(Busy(False), leg.now)
    assert leg.ladder.coding == ILBC
    leg.answer = agree
    assert leg.seconds(40, paths.GOOD) == ["PCMU/20"]


def test_the_far_ends_own_change_is_respected(leg: Leg) -> None:
    leg.seconds(5, paths.LOSSY)
    leg.ladder.handle(Changed(SipCoding("GSM", 20)), leg.now)
    assert leg.seconds(120, paths.GOOD) == []
    assert leg.ladder.coding == SipCoding("GSM", 20)


def test_a_session_refresh_changes_nothing(leg: Leg) -> None:
    leg.seconds(5, paths.LOSSY)
    leg.ladder.handle(Changed(ILBC), leg.now)
    assert leg.seconds(60, paths.GOOD) == ["PCMU/20"]


def test_an_oscillating_network_costs_few_negotiations(leg: Leg) -> None:
    for _ in range(30):
        leg.seconds(25, paths.GOOD)
        leg.seconds(35, paths.LOSSY)
    assert len(leg.asked) == 3


def test_a_stalled_leg_is_left_alone(leg: Leg) -> None:
    assert leg.seconds(60, paths.STALLED) == []
    assert leg.ladder.stuck


REPORTS = [
    paths.GOOD, paths.FAIR, paths.LOSSY, paths.HEAVY, paths.THIN, paths.JITTERY, paths.STALLED, paths.UNKNOWN,
]  # fmt: skip
ANSWERS: list[Answer] = [
    agree, refuse("unsupported"), refuse("glare"), refuse("timeout"), lambda _: None, lambda _: Changed(PCMU),
]  # fmt: skip
phases = st.lists(
    st.tuples(
        st.sampled_from(REPORTS),
        st.integers(1, 60),
        st.sampled_from(ANSWERS),
        st.sampled_from(
            [None, None, None, Busy(True), Busy(False), Changed(SipCoding("GSM", 20)), Refused("glare")]
        ),
    ),
    max_size=30,
)


@given(phases, st.lists(st.sampled_from(KNOWN), unique=True), st.sampled_from(["best", "ilbc"]))
def test_whatever_happens_the_rules_hold(
    story: list[tuple[QualityReport, int, Answer, Busy | Changed | Refused | None]],
    offered: list[str],
    lossy: str,
) -> None:
    leg, busy = Leg(offered=offered, lossy=lossy), False
    for report, seconds, leg.answer, event in story:
        if event is not None:
            leg.ladder.handle(event, leg.now)
        busy = event.busy if isinstance(event, Busy) else busy
        before = len(leg.asked)
        leg.seconds(seconds, report)
        asked = leg.asked[before:]
        assert not (busy and asked)
        assert not (asked and report in (paths.JITTERY, paths.FAIR, paths.STALLED, paths.UNKNOWN))
        for _, coding in asked:
            assert coding.codec in {*offered, "PCMU", "GSM"}, "offered, or spoken before"
    assert all(later - earlier >= 5.0 for (earlier, _), (later, _) in pairwise(leg.asked))
