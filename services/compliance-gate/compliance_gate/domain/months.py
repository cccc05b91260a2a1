"""Calendar months (RULES.md 5.3): the same day and time of day in UTC, the day clamped to the month's end."""

from __future__ import annotations

import calendar
from datetime import datetime


def add_months(instant: datetime, months: int) -> datetime:
    """`instant` (aware UTC) plus whole calendar months: 31 January plus one is the last of February."""
    years, month = divmod(instant.month - 1 + months, 12)
    year = instant.year + years
    day = min(instant.day, calendar.monthrange(year, month + 1)[1])
    return instant.replace(year=year, month=month + 1, day=day)
