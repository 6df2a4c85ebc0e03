"""Opening hours on both sides of midnight, holidays and changes of the clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialplan.language.hours import (
    Hours,
    HoursError,
    check_holiday_region,
    describe_span,
    parse_dates,
    parse_days,
    parse_spans,
    parse_zone,
)

BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=BERLIN)


def hours(week: dict[str, str], holiday_region: str = "", on_holidays: str = "closed", **dates: str) -> Hours:
    weekly = {day: parse_spans(spans) for days, spans in week.items() for day in parse_days(days)}
    rules = [
        parse_dates(text.removeprefix("d").replace("_", "-"), parse_spans(spans))
        for text, spans in dates.items()
    ]
    return Hours(BERLIN, weekly, rules, holiday_region, parse_spans(on_holidays))


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-23 08:29", False),
        ("2026-11-23 08:30", True),
        ("2026-11-23 11:59", True),
        ("2026-11-23 12:00", False),
        ("2026-11-23 13:00", True),
        ("2026-11-23 18:00", False),
        ("2026-11-28 12:00", False),
        ("2026-11-28 10:00", True),
        ("2026-11-29 10:00", False),
    ],
)
def test_weekdays(at: str, is_open: bool) -> None:
    office = hours({"mon-fri": "08:30-12:00, 13:00-18:00", "sat": "10:00-12:00"})
    assert office.is_open(local(at)) == is_open


def test_over_midnight() -> None:
    bar = hours({"fri": "20:00-03:00"})
    assert [bar.is_open(local(at)) for at in ("2026-11-27 19:59", "2026-11-27 23:00")] == [False, True]
    assert [bar.is_open(local(at)) for at in ("2026-11-28 02:59", "2026-11-28 03:00")] == [True, False]
    assert not bar.is_open(local("2026-11-27 02:00"))


def test_dates_are_ahead_of_holidays_and_these_of_weekdays() -> None:
    shop = hours({"daily": "open"}, "DE-BE", "10:00-12:00", d2026_12_25="14:00-15:00", d12_24="closed")
    assert shop.is_open(local("2026-12-25 14:30"))
    assert not shop.is_open(local("2026-12-25 11:00"))
    assert shop.is_open(local("2026-12-26 11:00"))
    assert not shop.is_open(local("2026-12-26 13:00"))
    assert not shop.is_open(local("2031-12-24 11:00"))
    assert shop.is_open(local("2026-12-28 23:59"))


def test_holidays_are_those_of_the_part_of_the_country() -> None:
    berlin, bavaria = hours({"daily": "open"}, "DE-BE"), hours({"daily": "open"}, "DE-BY")
    assert (berlin.is_open(local("2026-01-06 12:00")), bavaria.is_open(local("2026-01-06 12:00"))) == (
        True,
        False,
    )
    assert (berlin.is_open(local("2026-03-08 12:00")), bavaria.is_open(local("2026-03-08 12:00"))) == (
        False,
        True,
    )


def test_the_wall_clock_counts_on_both_sides_of_daylight_saving() -> None:
    office = hours({"daily": "08:30-18:00"})
    assert office.is_open(datetime(2026, 7, 1, 6, 30, tzinfo=UTC))
    assert not office.is_open(datetime(2026, 7, 1, 6, 29, tzinfo=UTC))
    assert office.is_open(datetime(2026, 12, 1, 7, 30, tzinfo=UTC))
    assert not office.is_open(datetime(2026, 12, 1, 7, 29, tzinfo=UTC))


def test_the_night_of_the_change_has_no_hole_and_no_error() -> None:
    night = hours({"daily": "22:00-06:00"})
    for minute in range(0, 8 * 60, 10):
        for month, day in ((3, 28), (10, 24)):
            at = datetime(2026, month, day, 21, tzinfo=UTC).timestamp() + minute * 60
            moment = datetime.fromtimestamp(at, UTC)
            assert night.is_open(moment) == (moment.astimezone(BERLIN).hour not in range(6, 22))


def test_why_it_is_closed() -> None:
    office = hours({"mon-fri": "08:30-18:00"}, "DE-BE", d2026_12_31="08:30-12:00")
    assert office.why_closed(local("2026-11-23 09:00")) == ""
    assert office.why_closed(local("2026-11-23 19:05")) == "mon 08:30-18:00, it is 19:05"
    assert office.why_closed(local("2026-11-22 09:00")) == "sun closed"
    assert office.why_closed(local("2026-12-25 09:00")) == "2026-12-25 (Christmas Day) closed"
    assert office.why_closed(local("2026-12-31 13:00")) == "2026-12-31 08:30-12:00, it is 13:00"


@pytest.mark.parametrize(
    "text", ["", "8:30-18:00", "08:30", "08:30-08:30", "25:00-26:00", "00:00-24:01", "x"]
)
def test_what_are_no_hours(text: str) -> None:
    with pytest.raises(HoursError, match="hours such as"):
        parse_spans(text)


@pytest.mark.parametrize("text", ["", "monday", "mon-", "-mon", "mon;tue", "fri-mon-tue"])
def test_what_are_no_days(text: str) -> None:
    with pytest.raises(HoursError, match="weekdays"):
        parse_days(text)


def test_days() -> None:
    assert parse_days("sat-mon") == (5, 6, 0)
    assert parse_days("mon, wed-thu,mon") == (0, 2, 3)


@pytest.mark.parametrize(
    "text", ["", "2026-13-01", "02-30", "2026-02-30", "24.12.2026", "2026-01-02..2026-01-01"]
)
def test_what_are_no_dates(text: str) -> None:
    with pytest.raises(HoursError, match="date"):
        parse_dates(text, ())


def test_a_leap_day_may_be_named() -> None:
    assert hours({"daily": "open"}, d02_29="closed").why_closed(local("2028-02-29 12:00"))


@pytest.mark.parametrize("text", ["", "Europe/Berlim", "../../etc/passwd", "Europe", "\0"])
def test_what_are_no_zones(text: str) -> None:
    with pytest.raises(HoursError, match="time zone"):
        parse_zone(text)


@pytest.mark.parametrize("text", ["", "XX", "DE-XX", "de"])
def test_what_are_no_regions_of_holidays(text: str) -> None:
    with pytest.raises(HoursError):
        check_holiday_region(text)


@given(st.text(max_size=24))
def test_no_text_raises_anything_else(text: str) -> None:
    for parse in (parse_spans, parse_days, parse_zone, check_holiday_region, lambda t: parse_dates(t, ())):
        try:
            parse(text)
        except HoursError:
            continue


@given(st.integers(0, 1439), st.integers(0, 1440), st.integers(0, 20 * 365 * 24 * 60))
def test_spans_are_read_as_they_are_shown(start: int, until: int, minutes: int) -> None:
    text = f"{start // 60:02}:{start % 60:02}-{until // 60:02}:{until % 60:02}"
    if start == until:
        return
    (span,) = parse_spans(text)
    assert describe_span(span) == text
    open_always = Hours(BERLIN, dict.fromkeys(range(7), (span,)))
    at = datetime.fromtimestamp(1_600_000_000 + minutes * 60, BERLIN)
    minute = at.hour * 60 + at.minute
    inside = start <= minute < until if start < until else minute >= start or minute < until
    assert open_always.is_open(at) == inside
