"""Backends that are slow, frozen, lost or gone, in a time of their own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.health.agent_watch import (
    AgentEvent,
    AgentReading,
    AgentStep,
    AgentWatch,
    Happening,
    SessionLost,
    WatchSettings,
)

WELL = AgentReading(backlog_ms=0.0, dropped_ms=0.0, ping_ms=30.0, unanswered_s=0.0, starved_ms=0.0)
SLOW = replace(WELL, backlog_ms=150.0)
READ_S = 0.25


class Call:
    """Takes a reading four times a second."""

    def __init__(self, *, can_narrow: bool = True, standbys: int = 1) -> None:
        self.now = 100.0
        self.watch = AgentWatch(WatchSettings(can_narrow=can_narrow, standbys=standbys), self.now)
        self.steps: list[tuple[float, AgentStep]] = []

    def tell(self, event: AgentEvent) -> list[AgentStep]:
        steps = self.watch.handle(event, self.now)
        self.steps += [(self.now, step) for step in steps]
        return steps

    def seconds(self, length_s: float, reading: AgentReading | None) -> list[AgentStep]:
        """Readings for so long, or none (no connection); deadlines are kept."""
        made: list[AgentStep] = []
        end = self.now + length_s
        while self.now < end - 1e-9:
            self.now += READ_S
            deadline = self.watch.next_deadline()
            if deadline is not None and deadline <= self.now:
                steps = self.watch.handle_timeout(self.now)
                self.steps += [(self.now, step) for step in steps]
                made += steps
            if reading is not None:
                made += self.tell(reading)
        return made

    def freeze(self, length_s: float) -> list[AgentStep]:
        """No ping is answered from now on."""
        made: list[AgentStep] = []
        begin, end = self.now, self.now + length_s
        while self.now < end - 1e-9:
            made += self.seconds(READ_S, replace(WELL, unanswered_s=self.now + READ_S - begin))
        return made

    def when(self, step: AgentStep) -> float:
        return next(at for at, each in self.steps if each == step)


@pytest.fixture
def call() -> Call:
    return Call()


def test_a_healthy_connection_is_left_alone(call: Call) -> None:
    assert call.seconds(300, WELL) == []
    assert call.watch.next_deadline() is None


def test_a_hiccup_is_no_illness(call: Call) -> None:
    call.seconds(5, WELL)
    call.seconds(0.75, SLOW)
    assert call.seconds(5, WELL) == []


@pytest.mark.parametrize("ill", [SLOW, replace(WELL, ping_ms=600.0)], ids=["backlog", "late pings"])
def test_a_slow_connection_is_narrowed_and_a_standby_connected_ahead(call: Call, ill: AgentReading) -> None:
    call.seconds(5, WELL)
    assert call.seconds(3, ill) == ["narrow", "warm_standby"]
    assert call.tell("standby_ready") == []
    assert call.seconds(14, WELL) == []
    assert call.seconds(2, WELL) == ["release_standby"]


def test_the_audio_is_widened_after_a_good_minute_and_later_after_each_relapse() -> None:
    call = Call(standbys=0)
    assert call.seconds(3, SLOW) == ["narrow"]
    assert call.seconds(59, WELL) == []
    assert call.seconds(2, WELL) == ["widen"]
    for patience_s in (120, 240, 480, 480):
        assert call.seconds(3, SLOW) == ["narrow"]
        assert call.seconds(patience_s - 1, WELL) == []
        assert call.seconds(2, WELL) == ["widen"]


def test_an_oscillating_connection_stays_narrow() -> None:
    call = Call(standbys=0)
    for _ in range(20):
        call.seconds(3, SLOW)
        call.seconds(50, WELL)
    assert [step for _, step in call.steps] == ["narrow"]


def test_the_next_reading_is_taken_in_time_to_see_a_freeze() -> None:
    watch = AgentWatch(WatchSettings(frozen_after_s=0.8), 0.0)
    assert watch.next_reading_s(WELL, 0.25) == 0.25
    assert watch.next_reading_s(replace(WELL, unanswered_s=0.3), 0.25) == 0.25
    assert watch.next_reading_s(replace(WELL, unanswered_s=0.7), 0.25) == pytest.approx(0.1)
    assert watch.next_reading_s(replace(WELL, unanswered_s=5.0), 0.25) == 0.05


def test_gaps_within_answers_are_an_illness_too(call: Call) -> None:
    made: list[AgentStep] = []
    for n in range(12):
        made += call.seconds(READ_S, replace(WELL, starved_ms=n * 60.0))
    assert made == ["narrow", "warm_standby"]


def test_gaps_are_told_once_a_second(call: Call) -> None:
    call.seconds(5, WELL)
    made: list[AgentStep] = []
    for n in range(16):
        made += call.seconds(READ_S, replace(WELL, starved_ms=(n // 4) * 300.0))
    assert made == ["narrow", "warm_standby"]


@pytest.mark.parametrize("length_ms", [350.0, 1000.0, 3000.0])
@pytest.mark.parametrize("well_s", [READ_S, 5.0], ids=["at the beginning", "later"])
def test_one_gap_is_no_illness(call: Call, length_ms: float, well_s: float) -> None:
    call.seconds(well_s, WELL)
    assert call.seconds(5, replace(WELL, starved_ms=length_ms)) == []


def test_one_gap_that_is_told_in_two_parts_is_no_illness(call: Call) -> None:
    call.seconds(5, WELL)
    assert call.seconds(1, replace(WELL, starved_ms=500.0)) == []
    assert call.seconds(5, replace(WELL, starved_ms=1000.0)) == []


def test_dropped_audio_is_an_illness_too(call: Call) -> None:
    made: list[AgentStep] = []
    for n in range(8):
        made += call.seconds(READ_S, replace(WELL, dropped_ms=n * 20.0))
    assert made == ["narrow", "warm_standby"]


def test_when_narrowing_does_not_help_the_standby_takes_over(call: Call) -> None:
    call.seconds(2, SLOW)
    call.tell("standby_ready")
    assert call.seconds(4, SLOW)[:3] == ["play_filler", "take_standby", "stop_filler"]
    assert not call.watch.failing


def test_a_slow_connection_without_standby_goes_on(call: Call) -> None:
    alone = Call(standbys=0)
    assert alone.seconds(120, SLOW) == ["narrow"]


def test_a_slow_connection_whose_standby_cannot_be_had_goes_on(call: Call) -> None:
    call.seconds(2, SLOW)
    call.tell("standby_failed")
    assert call.seconds(120, SLOW) == []


def test_a_frozen_backend_is_replaced_within_three_seconds(call: Call) -> None:
    call.seconds(5, WELL)
    frozen_at = call.now
    assert call.freeze(1.25) == ["play_filler", "narrow", "warm_standby"]
    assert call.when("play_filler") - frozen_at <= 1.25
    call.now += 0.8  # connecting
    assert call.tell("standby_ready") == ["take_standby", "stop_filler"]
    assert call.now - frozen_at < 3


def test_a_backend_that_thaws_in_time_goes_on(call: Call) -> None:
    call.freeze(1.5)
    assert call.seconds(READ_S, WELL) == ["stop_filler"]
    call.tell("standby_ready")
    assert call.seconds(16, WELL) == ["release_standby"]


def test_a_frozen_backend_without_standby_is_connected_anew() -> None:
    call = Call(standbys=0, can_narrow=False)
    assert call.freeze(3) == ["play_filler", "reconnect"]
    assert call.tell("reconnected") == ["stop_filler"]
    assert call.seconds(20, WELL) == []


def test_a_lost_session_is_opened_again_while_the_standby_connects(call: Call) -> None:
    assert call.tell(SessionLost(True)) == ["play_filler", "warm_standby", "reconnect"]
    call.seconds(0.5, None)
    assert call.tell("reconnected") == ["stop_filler"]
    assert call.tell("standby_ready") == []
    assert call.seconds(16, WELL) == ["release_standby"]


def test_a_standby_that_took_over_is_narrowed_only_if_it_is_slow_itself() -> None:
    call = Call(standbys=2)
    assert call.seconds(2, SLOW) == ["narrow", "warm_standby"]
    call.tell("standby_ready")
    assert "take_standby" in call.seconds(2.5, SLOW)
    assert call.seconds(120, WELL) == [], "it began wide"
    assert call.seconds(2, SLOW) == ["narrow", "warm_standby"]


def test_the_standby_waits_a_second_for_the_lost_session_and_no_longer(call: Call) -> None:
    call.tell(SessionLost(True))
    lost_at = call.now
    call.seconds(0.25, None)
    assert call.tell("standby_ready") == []
    assert call.watch.next_deadline() == lost_at + 1.0
    assert call.seconds(1, None) == ["take_standby", "stop_filler"]
    assert call.tell("reconnected") == [], "too late"


def test_the_standby_does_not_wait_for_what_cannot_come_back(call: Call) -> None:
    call.tell(SessionLost(True))
    call.tell("reconnect_failed")
    assert call.tell("standby_ready") == ["take_standby", "stop_filler"]
    call = Call()
    assert call.tell(SessionLost(False)) == ["play_filler", "warm_standby"]
    assert call.tell("standby_ready") == ["take_standby", "stop_filler"]


def test_a_service_that_sends_rubbish_is_replaced_at_once_and_opened_again_only_at_last() -> None:
    call = Call(standbys=2, can_narrow=False)
    assert call.tell(SessionLost(True, rubbish=True)) == ["play_filler", "warm_standby"]
    assert call.tell("standby_ready") == ["take_standby", "stop_filler"]
    assert call.tell(SessionLost(True, rubbish=True)) == ["play_filler", "warm_standby"]
    assert call.tell("standby_failed") == ["reconnect"]
    assert call.tell("reconnected") == ["stop_filler"]
    assert call.tell(SessionLost(True, rubbish=True)) == ["play_filler", "reconnect"], "there is nothing else"
    assert call.tell("reconnect_failed") == ["give_up"]


def test_the_next_fallback_is_tried_when_one_fails() -> None:
    call = Call(standbys=2, can_narrow=False)
    assert call.tell(SessionLost(False)) == ["play_filler", "warm_standby"]
    assert call.tell("standby_failed") == ["warm_standby"]
    assert call.tell("standby_failed") == ["give_up"]


def test_the_standby_itself_may_fail_and_have_a_standby() -> None:
    call = Call(standbys=2, can_narrow=False)
    call.tell(SessionLost(False))
    call.tell("standby_ready")
    assert call.tell(SessionLost(False)) == ["play_filler", "warm_standby"]
    assert call.tell("standby_ready") == ["take_standby", "stop_filler"]
    assert call.tell(SessionLost(False))[-1] == "give_up"


def test_giving_up_is_final(call: Call) -> None:
    call.tell(SessionLost(True))
    assert call.seconds(15, None) == ["give_up"]
    assert call.when("give_up") - 100.0 == pytest.approx(10, abs=READ_S)
    assert call.tell("reconnected") == call.tell("standby_ready") == call.seconds(5, WELL) == []
    assert call.watch.next_deadline() is None


HAPPENINGS: list[Happening] = ["reconnected", "reconnect_failed", "standby_ready", "standby_failed"]
readings = st.builds(
    AgentReading,
    backlog_ms=st.sampled_from([0.0, 150.0]),
    dropped_ms=st.just(0.0),
    ping_ms=st.sampled_from([None, 30.0, 900.0]),
    unanswered_s=st.sampled_from([0.0, 0.5, 2.0]),
    starved_ms=st.just(0.0),
)
events = readings | st.builds(SessionLost, st.booleans(), st.booleans()) | st.sampled_from(HAPPENINGS)


@given(st.lists(st.tuples(events, st.floats(0, 5)), max_size=80), st.integers(0, 3), st.booleans())
def test_whatever_happens_fillers_end_and_standbys_are_not_invented(
    story: list[tuple[AgentEvent, float]], standbys: int, can_narrow: bool
) -> None:
    watch, now = AgentWatch(WatchSettings(can_narrow=can_narrow, standbys=standbys), 0.0), 0.0
    steps: list[AgentStep] = []
    for event, gap in story:
        now += gap
        deadline = watch.next_deadline()
        if deadline is not None and deadline <= now:
            steps += watch.handle_timeout(now)
        steps += watch.handle(event, now)
    filler = [step for step in steps if step in ("play_filler", "stop_filler")]
    assert all(step == ("stop_filler" if n % 2 else "play_filler") for n, step in enumerate(filler))
    assert steps.count("warm_standby") - steps.count("release_standby") <= standbys
    assert steps.count("take_standby") <= steps.count("warm_standby")
    narrow = False
    for step in steps:
        if step in ("narrow", "widen"):
            assert can_narrow
            assert narrow is (step == "widen")
            narrow = step == "narrow"
        elif step == "take_standby":
            narrow = False
    assert "give_up" not in steps[:-1]
    while watch.failing and (deadline := watch.next_deadline()) is not None:
        now = max(now, deadline)
        steps += watch.handle_timeout(now)
    assert steps.count("play_filler") == steps.count("stop_filler") + steps.count("give_up")
