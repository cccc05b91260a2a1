"""Holiday sets (RULES.md 6.6): fixed dates, nth weekdays, days around Easter, and days observed in lieu."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property

SATURDAY, SUNDAY = 5, 6


class InLieu(StrEnum):
    """Which other day a fixed date on a weekend also bans; the date itself stays banned."""

    NEVER = "none"
    NEAREST = "nearest"
    """Saturday: the Friday before; Sunday: the Monday after (5 U.S.C. 6103(b) and Executive Order 11582)."""
    MONDAY = "monday"
    """The following Monday."""
    TWO_DAYS = "two_days"
    """The date and two days on: Christmas and Boxing Day move as a pair."""


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """The same date every year."""

    month: int
    day: int
    in_lieu: InLieu = InLieu.NEVER


@dataclass(frozen=True, kw_only=True)
class NthWeekday:
    """For example the 4th Thursday of November, or the day after it."""

    month: int
    weekday: int
    """Monday 0."""
    nth: int
    """1 to 5; -1 for the last."""
    plus_days: int = 0


@dataclass(frozen=True, kw_only=True)
class EasterDay:
    """Days from Western (Gregorian) Easter Sunday."""

    offset_days: int


Holiday = Fixed | NthWeekday | EasterDay


@dataclass(frozen=True, kw_only=True)
class HolidaySet:
    """A named set of days without calls."""

    name: str
    days: tuple[Holiday, ...]

    def __contains__(self, day: date) -> bool:
        """Whether a local date is banned; observed days may cross the turn of a year."""
        if day.year not in self._dates:
            years = (day.year - 1, day.year, day.year + 1)
            self._dates[day.year] = frozenset(d for year in years for one in self.days for d in _days_of(one, year))
        return day in self._dates[day.year]

    @cached_property
    def _dates(self) -> dict[int, frozenset[date]]:
        """Year -> dates of it and its neighbours, once somebody asked."""
        return {}


def _days_of(holiday: Holiday, year: int) -> Iterator[date]:
    match holiday:
        case Fixed():
            day = date(year, holiday.month, holiday.day)
            yield day
            yield from _observed(day, holiday.in_lieu)
        case NthWeekday():
            yield nth_weekday(year, holiday.month, holiday.weekday, holiday.nth) + timedelta(days=holiday.plus_days)
        case EasterDay():
            yield easter(year) + timedelta(days=holiday.offset_days)


def _observed(day: date, in_lieu: InLieu) -> Iterator[date]:
    if in_lieu is InLieu.NEVER or day.weekday() < SATURDAY:
        return
    saturday = day.weekday() == SATURDAY
    match in_lieu:
        case InLieu.NEAREST:
            yield day + timedelta(days=-1 if saturday else 1)
        case InLieu.MONDAY:
            yield day + timedelta(days=2 if saturday else 1)
        case InLieu.TWO_DAYS:
            yield day + timedelta(days=2)


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """The nth weekday of a month (nth = -1: the last)."""
    if nth == -1:
        end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        return end - timedelta(days=(end.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def easter(year: int) -> date:
    """Gregorian Easter Sunday (anonymous Gregorian computus, Meeus, Astronomical Algorithms, ch. 8)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    shift, leap = divmod(century, 4)
    moon = (century + 8) // 25
    epact = (19 * golden + century - shift - (century - moon + 1) // 3 + 15) % 30
    quarter, left = divmod(rest, 4)
    weekday = (32 + 2 * leap + 2 * quarter - epact - left) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
