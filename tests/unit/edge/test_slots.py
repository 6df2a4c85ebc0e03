"""The books of cards and calls."""

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import integers, sampled_from

from gateway.core.churn import BURST
from gateway.core.ids import CardId
from gateway.edge.slots import RESERVED_S, CardPhase, NoSlot, Slots
from gateway.wire.edge import CardStatus


def _slots(cards: int, max_calls: int = 100) -> Slots:
    slots = Slots(max_calls=max_calls, calls_per_card=4)
    for index in range(cards):
        slots.card_ordered(CardId(index), 0.0)
        _report(slots, index)
    return slots


def _reserved(slots: Slots, call: str) -> CardId:
    card = slots.reserve(call, 0.0)
    assert not isinstance(card, NoSlot)
    return card


def _report(slots: Slots, card: int, *calls: str, now: float = 0.0) -> list[str] | None:
    return slots.card_reported(CardStatus(CardId(card), 100 + card, 6000 + card, calls), now)


def test_the_fullest_card_with_room_comes_first() -> None:
    slots = _slots(3)
    first = _reserved(slots, "a")
    assert [slots.reserve(call, 0.0) for call in "bcd"] == [first] * 3
    second = slots.reserve("e", 0.0)
    assert second != first
    _report(slots, first, "a", "b", "c")
    _report(slots, first, "a", "b")
    assert slots.reserve("f", 0.0) == first


def test_max_calls_is_exact() -> None:
    slots = _slots(2, max_calls=5)
    assert all(not isinstance(slots.reserve(str(call), 0.0), NoSlot) for call in range(5))
    assert slots.reserve("more", 0.0) is NoSlot.FULL
    slots.release_reserved("0", 0.0)
    assert not isinstance(slots.reserve("more", 0.0), NoSlot)
    assert slots.live_calls == 5


def test_no_card_is_not_the_same_as_full() -> None:
    slots = _slots(1)
    for call in "abcd":
        slots.reserve(call, 0.0)
    assert slots.reserve("e", 0.0) is NoSlot.NO_CARD


def test_calls_that_begin_too_fast_for_a_card_go_to_another_or_wait() -> None:
    slots = _slots(2)

    def short_calls(count: int, now: float) -> list[CardId]:
        places = []
        for number in range(count):
            place = slots.reserve(f"{now} {number}", now)
            if isinstance(place, NoSlot):
                break
            places.append(place)
            slots.release_reserved(f"{now} {number}", now)
        return places

    first = short_calls(100, 0.0)
    assert len(first) == 2 * (BURST - 2)
    assert {first.count(card) for card in set(first)} == {BURST - 2}
    assert slots.reserve("late", 0.0) is NoSlot.NO_CARD
    assert len(short_calls(100, 0.5)) == 2 * 9


def test_a_repeated_reservation_is_one() -> None:
    slots = _slots(1)
    assert slots.reserve("a", 0.0) == slots.reserve("a", 0.0)
    assert slots.live_calls == 1


def test_only_the_card_frees_what_it_has_listed() -> None:
    slots = _slots(1)
    slots.reserve("a", 0.0)
    assert _report(slots, 0, "a") == []
    slots.release_reserved("a", 0.0)
    assert slots.live_calls == 1
    assert _report(slots, 0) == ["a"]
    assert slots.live_calls == 0


def test_a_status_sent_before_the_invite_arrived_frees_nothing() -> None:
    slots = _slots(1)
    slots.reserve("a", 0.0)
    assert _report(slots, 0) == []
    assert slots.reserve("a", 1.0) == 0
    assert slots.live_calls == 1


def test_a_reservation_nobody_takes_up_expires() -> None:
    slots = _slots(1)
    slots.reserve("a", 1.0)
    assert slots.expire_reserved(RESERVED_S) == []
    assert slots.expire_reserved(1.0 + RESERVED_S) == ["a"]
    assert slots.live_calls == 0


def test_calls_that_only_the_card_knows_are_taken_over() -> None:
    slots = _slots(1)
    _report(slots, 0, "unknown")
    assert slots.live_calls == 1
    assert slots.reserve("unknown", 0.0) == 0
    assert slots.live_calls == 1


def test_a_dead_card_frees_everything() -> None:
    slots = _slots(2)
    card = _reserved(slots, "a")
    slots.reserve("b", 0.0)
    _report(slots, card, "a")
    assert sorted(slots.card_gone(card)) == ["a", "b"]
    assert slots.live_calls == 0
    assert slots.port_of(card) is None
    assert slots.card_at(6000 + card) is None
    assert slots.card_gone(card) == []


def test_retiring_and_starting_cards_take_no_calls() -> None:
    slots = _slots(1)
    slots.retire(CardId(0))
    slots.card_ordered(CardId(1), 0.0)
    assert slots.reserve("a", 0.0) is NoSlot.NO_CARD
    _report(slots, 1)
    assert slots.reserve("a", 0.0) == 1


def test_a_card_without_a_core_takes_no_calls() -> None:
    slots = _slots(1)
    slots.card_reported(CardStatus(CardId(0), 100, 6000, (), attached=False), 0.0)
    assert slots.serving is False
    assert slots.reserve("a", 0.0) is NoSlot.NO_CARD
    _report(slots, 0)
    assert [slots.serving] == [True]
    assert slots.reserve("a", 0.0) == 0


def test_another_process_can_not_speak_for_a_card() -> None:
    slots = _slots(1)
    assert slots.card_reported(CardStatus(CardId(0), 999, 6000, ("a",)), 0.0) is None
    assert slots.card_reported(CardStatus(CardId(7), 999, 6000, ("a",)), 0.0) is None
    assert slots.live_calls == 0


def test_a_card_places_a_call_itself() -> None:
    slots = _slots(1)
    slots.claim("out", CardId(0), 0.0)
    slots.claim("out", CardId(0), 0.0)
    assert slots.live_calls == 1


class _Anything(RuleBasedStateMachine):
    """Any sequence of events leaves the books consistent."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = _slots(3, max_calls=7)
        self.now = 0.0

    @rule(call=sampled_from("abcdefghijkl"))
    def reserve(self, call: str) -> None:
        self.slots.reserve(call, self.now)

    @rule(call=sampled_from("abcdefghijkl"))
    def release(self, call: str) -> None:
        self.slots.release_reserved(call, self.now)

    @rule(card=integers(0, 2), keep=integers(0, 4), now_s=integers(0, 12))
    def report(self, card: int, keep: int, now_s: int) -> None:
        self.now += now_s
        known = self.slots.cards.get(CardId(card))
        if known is not None:
            calls = sorted({*known.held, *known.reserved})[:keep]
            _report(self.slots, card, *calls, now=self.now)

    @rule()
    def expire(self) -> None:
        self.slots.expire_reserved(self.now)

    @rule(card=integers(0, 2))
    def die(self, card: int) -> None:
        self.slots.card_gone(CardId(card))
        self.slots.card_ordered(CardId(card), self.now)
        _report(self.slots, card, now=self.now)

    @invariant()
    def books_agree(self) -> None:
        cards = self.slots.cards.values()
        assert self.slots.live_calls == sum(card.used for card in cards) <= 7
        assert all(0 <= card.used <= 4 for card in cards)
        assert all(card.phase is CardPhase.READY for card in cards)
        for card in cards:
            for call in (*card.held, *card.reserved):
                assert self.slots.reserve(call, self.now) == card.id


TestAnything = _Anything.TestCase
TestAnything.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
