"""Wall clocks by the pinned time-zone data; remembered, since a batch asks for one instant many times."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """A time zone.

    Raises:
        ZoneInfoNotFoundError, ValueError, OSError: the pinned data don't know it.
    """
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def local_time(instant: datetime, name: str) -> datetime:
    """The wall-clock time of an aware instant in a zone."""
    return instant.astimezone(zone(name))
