"""One digit from many reports."""

from gateway.cards.sip.digits import DigitCollector


def test_a_digit_is_told_once_with_its_full_length() -> None:
    digits = DigitCollector()
    assert digits.add("5", 20, 0.0, update=False, end=False) == []
    assert digits.add("5", 60, 0.04, update=True, end=False) == []
    assert digits.add("5", 160, 0.14, update=True, end=True) == [("5", 160)]
    assert digits.add("5", 160, 0.16, update=True, end=True) == []


def test_the_same_key_pressed_twice_is_two_digits() -> None:
    digits = DigitCollector()
    told = []
    for now in (0.0, 1.0):
        told += digits.add("1", 20, now, update=False, end=False)
        told += digits.add("1", 100, now + 0.1, update=True, end=True)
    assert told == [("1", 100), ("1", 100)]


def test_a_digit_that_begins_ends_the_one_before() -> None:
    digits = DigitCollector()
    digits.add("1", 20, 0.0, update=False, end=False)
    digits.add("1", 80, 0.06, update=True, end=False)
    assert digits.add("2", 20, 0.1, update=False, end=False) == [("1", 80)]
    assert digits.add("2", 90, 0.2, update=True, end=True) == [("2", 90)]


def test_a_lost_end_is_made_up_for_after_a_while_and_not_twice() -> None:
    digits = DigitCollector()
    digits.add("9", 20, 0.0, update=False, end=False)
    digits.add("9", 100, 0.1, update=True, end=False)
    assert digits.expire(0.3) == []
    assert digits.expire(0.5) == [("9", 100)]
    assert digits.expire(0.9) == []
    assert digits.add("9", 120, 1.0, update=True, end=True) == []


def test_a_digit_of_which_only_the_end_arrived() -> None:
    assert DigitCollector().add("#", 160, 0.0, update=False, end=True) == [("#", 160)]


def test_waiting_says_whether_a_key_is_down() -> None:
    digits = DigitCollector()
    down = []
    for now, end in ((0.0, False), (0.1, True)):
        digits.add("5", 20, now, update=end, end=end)
        down.append(digits.waiting)
    assert down == [True, False]
