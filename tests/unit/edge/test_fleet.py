"""How many cards run."""

from itertools import pairwise

from gateway.core.ids import CardId
from gateway.edge.fleet import SILENT_S, START_S, SURPLUS_IDLE_S, Fleet, KillCard, RetireCard, StartCard
from gateway.edge.slots import Slots
from gateway.wire.edge import CardStatus


def _fleet(max_cards: int = 6) -> tuple[Fleet, Slots]:
    slots = Slots(max_calls=100, calls_per_card=4)
    return Fleet(slots, max_cards=max_cards), slots


def _up(slots: Slots, card: int, *calls: str, now: float = 0.0) -> None:
    slots.card_reported(CardStatus(CardId(card), 100 + card, 6000 + card, calls), now)


def test_one_spare_card_from_the_beginning() -> None:
    fleet, _ = _fleet()
    assert fleet.plan(0.0) == [StartCard(CardId(0))]
    assert fleet.plan(0.0) == []


def test_the_first_call_on_the_spare_brings_another() -> None:
    fleet, slots = _fleet()
    fleet.plan(0.0)
    _up(slots, 0)
    slots.reserve("a", 0.0)
    assert fleet.plan(0.0) == [StartCard(CardId(1))]


def test_parked_calls_bring_as_many_as_they_need() -> None:
    fleet, slots = _fleet()
    fleet.plan(0.0)
    _up(slots, 0, "a", "b", "c", "d")
    assert len(fleet.plan(0.0, parked=5)) == 3


def test_never_more_than_there_may_be() -> None:
    fleet, _ = _fleet(max_cards=2)
    assert len(fleet.plan(0.0, parked=100)) == 2


def test_an_index_is_used_again_once_its_card_is_gone() -> None:
    fleet, slots = _fleet(max_cards=1)
    fleet.plan(0.0)
    _up(slots, 0, "a")
    assert fleet.plan(0.0) == []
    fleet.handle_death(CardId(0), 1.0)
    slots.card_gone(CardId(0))
    assert fleet.plan(1.0) == [StartCard(CardId(0))]


def test_surplus_idle_cards_retire_but_one_stays() -> None:
    fleet, slots = _fleet()
    fleet.plan(0.0, parked=8)
    for card in range(3):
        _up(slots, card, now=float(card))
    for card in range(3):
        _up(slots, card, now=SURPLUS_IDLE_S - 1.0)
    assert fleet.plan(SURPLUS_IDLE_S - 0.1) == []
    for card in range(3):
        _up(slots, card, now=SURPLUS_IDLE_S)
    assert fleet.plan(SURPLUS_IDLE_S + 0.5) == [RetireCard(CardId(0))]
    for card in range(3):
        _up(slots, card, now=100.0)
    assert fleet.plan(100.0) == [RetireCard(CardId(1))]
    assert fleet.plan(100.0) == []


def test_a_silent_card_is_killed_once() -> None:
    fleet, slots = _fleet()
    fleet.plan(0.0)
    _up(slots, 0)
    assert fleet.plan(SILENT_S - 0.1) == []
    assert KillCard(CardId(0)) in fleet.plan(SILENT_S)
    assert fleet.plan(SILENT_S + 1.0) == []


def test_an_order_that_nothing_comes_of_is_stuck_sooner() -> None:
    fleet, _ = _fleet()
    fleet.plan(0.0)
    assert fleet.plan(START_S - 0.1) == []
    assert fleet.plan(START_S) == [KillCard(CardId(0))]


def test_cards_that_die_before_they_report_slow_the_starts_down() -> None:
    fleet, slots = _fleet()
    now, starts = 0.0, []
    for _ in range(5):
        while not fleet.plan(now):
            now += 0.05
        starts.append(now)
        fleet.handle_death(CardId(0), now)
        slots.card_gone(CardId(0))
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps[0] == 0.0
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 0.9
    assert fleet.early_deaths == 5


def test_no_starts_while_closing() -> None:
    fleet, _ = _fleet()
    fleet.closing = True
    assert fleet.plan(0.0) == []
