"""Opening hours: weekdays, exceptions by date, public holidays, in a time zone. Pure.

Everything is decided on the wall clock of the zone, so that 08:30 is 08:30 on both sides of a change
to daylight saving time.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from gateway.errors import LocalError

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY: Final = 24 * 60

_SPAN: Final = re.compile(r"([0-2][0-9]):([0-5][0-9])\s*-\s*([0-2][0-9]):([0-5][0-9])")
_YEARLY: Final = re.compile(r"(\d{2})-(\d{2})")
_LEAP_YEAR: Final = 2000


class HoursError(LocalError):
    """A text is none of the things expected; the message says what was."""


@dataclass(frozen=True, slots=True)
class Span:
    """From a minute of the day up to, not including, another; over midnight if `until` is smaller."""

    start: int
    until: int


Spans = tuple[Span, ...]
"""Empty: closed."""


@dataclass(frozen=True, slots=True)
class DateRule:
    """Hours of one date, of a stretch of dates, or of a date in every year."""

    first: date
    last: date
    yearly: bool
    spans: Spans

    def applies(self, day: date) -> bool:
        """Whether the rule is for this day."""
        if not self.yearly:
            return self.first <= day <= self.last
        return (day.month, day.day) == (self.first.month, self.first.day)


@dataclass(frozen=True, slots=True)
class Hours:
    """When something is open."""

    zone: ZoneInfo
    weekly: Mapping[int, Spans]
    """By weekday, Monday 0; a day that is missing is closed."""
    exceptions: Sequence[DateRule] = ()
    """The first that applies decides; ahead of holidays and weekdays."""
    holiday_region: str = ""
    """Country or country-subdivision (ISO 3166) whose public holidays count."""
    holiday_spans: Spans = field(default=())
    """Hours on public holidays."""

    def is_open(self, at: datetime) -> bool:
        """at: an aware time."""
        return not self.why_closed(at)

    def why_closed(self, at: datetime) -> str:
        """Why it is closed at this time, in words; empty when it is open."""
        local = at.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        today = local.date()
        spans, said = self._of(today)
        for span in spans:
            if span.start <= minute < span.until or (span.until <= span.start <= minute):
                return ""
        for span in self._of(today - timedelta(days=1))[0]:
            if span.until <= span.start and minute < span.until:
                return ""
        shown = ", ".join(describe_span(span) for span in spans) or "closed"
        return f"{said} {shown}, it is {local:%H:%M}" if spans else f"{said} closed"

    def _of(self, day: date) -> tuple[Spans, str]:
        for rule in self.exceptions:
            if rule.applies(day):
                return rule.spans, f"{day}"
        if self.holiday_region and (name := holiday(self.holiday_region, day)):
            return self.holiday_spans, f"{day} ({name})"
        return self.weekly.get(day.weekday(), ()), DAYS[day.weekday()]


def describe_span(span: Span) -> str:
    """`08:30-18:00`."""
    return f"{span.start // 60:02}:{span.start % 60:02}-{span.until // 60:02}:{span.until % 60:02}"


def parse_spans(text: str) -> Spans:
    """`08:30-12:00, 13:00-18:00`, `closed` or `open`. Raises `HoursError`."""
    expected = 'hours such as "08:30-18:00", several with commas, or closed, or open'
    if text.strip() == "closed":
        return ()
    if text.strip() == "open":
        return (Span(0, MINUTES_A_DAY),)
    found = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise HoursError(expected)
        start, until = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if start >= MINUTES_A_DAY or until > MINUTES_A_DAY or start == until:
            raise HoursError(expected)
        found.append(Span(start, until))
    return tuple(found)


def parse_days(text: str) -> tuple[int, ...]:
    """`mon-fri`, `sat`, `mon,wed`, `daily`: weekdays, Monday 0. Raises `HoursError`."""
    expected = f"weekdays ({', '.join(DAYS)}) such as mon-fri, sat or mon,wed, or daily"
    if text == "daily":
        return tuple(range(7))
    days: list[int] = []
    for part in text.split(","):
        first, dash, last = (each.strip() for each in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise HoursError(expected)
        start, end = DAYS.index(first), DAYS.index(last if dash else first)
        days += [(start + step) % 7 for step in range((end - start) % 7 + 1)]
    return tuple(dict.fromkeys(days))


def parse_dates(text: str, spans: Spans) -> DateRule:
    """`2026-12-24`, `2026-12-24..2026-12-31` or, every year, `12-24`. Raises `HoursError`."""
    first, dots, last = (part.strip() for part in text.partition(".."))
    try:
        if (match := _YEARLY.fullmatch(first)) and not dots:
            day = date(_LEAP_YEAR, int(match[1]), int(match[2]))
            return DateRule(day, day, True, spans)
        begin = date.fromisoformat(first)
        end = date.fromisoformat(last) if dots else begin
    except ValueError as exc:
        raise HoursError("a date such as 2026-12-24, 2026-12-24..2026-12-31 or 12-24") from exc
    if end < begin:
        raise HoursError("the earlier date first")
    return DateRule(begin, end, False, spans)


def parse_zone(name: str) -> ZoneInfo:
    """A time zone. Raises `HoursError`."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:
        raise HoursError("a time zone such as Europe/Berlin") from exc


def check_holiday_region(text: str) -> None:
    """Whether holidays of `DE` or `DE-BE` are known. Raises `HoursError`."""
    country, _, part = text.partition("-")
    known = holidays.list_supported_countries()
    if country not in known:
        raise HoursError("a country such as DE, or a part of one such as DE-BE (ISO 3166)")
    if part and part not in known[country]:
        raise HoursError(f"one of {', '.join(f'{country}-{each}' for each in known[country])}")


@lru_cache(maxsize=4096)
def holiday(region: str, day: date) -> str:
    """Name of the public holiday; empty on other days. region: as checked."""
    return str(_calendar(region, day.year).get(day) or "")


@lru_cache(maxsize=256)
def _calendar(region: str, year: int) -> holidays.HolidayBase:
    """One year, complete and never changed: a plan is checked in a thread while calls are decided."""
    country, _, part = region.partition("-")
    return holidays.country_holidays(country, subdiv=part or None, years=year, expand=False, language="en_US")
