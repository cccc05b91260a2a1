"""Whether a gateway still has an attempt, from what gateway.capacity said, and whether we may judge at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from disposition.domain.record import AttemptRecord
from outdial_contracts.events import GatewayCapacity

SILENT_SECONDS = 8.0
"""gateway.capacity comes every 2 s; a gateway silent so long is gone."""
SETTLING_SECONDS = 5.0
"""An attempt this young may not be listed yet."""
STALLED_SECONDS = 4.0
"""Between two ticks: longer, and it was we who stood still, not the gateways that were silent."""
LATE_SECONDS = 5.0
"""A message older than this is backlog; while backlog is read, the end of a call may be in it."""


class Fate(StrEnum):
    """What to do with an attempt without an end."""

    ALIVE = "alive"
    GONE = "gone"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A capacity and when we heard it: our clock against our clock."""

    capacity: GatewayCapacity
    at: datetime


@dataclass(kw_only=True)
class GatewayWatch:
    """The newest capacity of each gateway. `since` is when we began to listen: before it nothing is proven."""

    since: datetime
    newest: dict[str, Heard] = field(default_factory=dict)
    backlog_at: datetime | None = None
    """When we last read a message that had waited."""
    ticked_at: datetime | None = None

    def heard(self, capacity: GatewayCapacity, now: datetime) -> None:
        """Keeps the newest."""
        before = self.newest.get(capacity.gateway_id)
        if before is None or before.capacity.at <= capacity.at:
            self.newest[capacity.gateway_id] = Heard(capacity=capacity, at=now)

    def read(self, written_at: datetime, now: datetime) -> None:
        """A message about calls was read."""
        if now - written_at > timedelta(seconds=LATE_SECONDS):
            self.backlog_at = now

    def may_judge(self, now: datetime) -> bool:
        """Called at each tick: False while we just began, stood still, or read a backlog."""
        if self.ticked_at is not None and now - self.ticked_at > timedelta(seconds=STALLED_SECONDS):
            self.since = now
        self.ticked_at = now
        caught_up = self.backlog_at is None or now - self.backlog_at > timedelta(seconds=LATE_SECONDS)
        return caught_up and now - self.since > timedelta(seconds=SILENT_SECONDS)

    def boot_is_gone(self, gateway_id: str | None, boot_id: str | None, now: datetime) -> bool:
        """The gateway is silent, or runs another boot."""
        if gateway_id is None:
            return False
        heard = self.newest.get(gateway_id)
        if now - max(heard.at if heard else self.since, self.since) > timedelta(seconds=SILENT_SECONDS):
            return True
        return heard is not None and boot_id is not None and heard.capacity.boot_id != boot_id

    def fate(self, record: AttemptRecord, now: datetime) -> Fate:
        """Alive when its gateway lists it, gone when its boot is, not known when it is just not listed."""
        since = record.waiting_since
        if since is not None and now - since < timedelta(seconds=SETTLING_SECONDS):
            return Fate.ALIVE
        gateway_id, boot_id = record.boot
        if self.boot_is_gone(gateway_id, boot_id, now):
            return Fate.GONE
        heard = self.newest.get(gateway_id or "")
        listed = heard is not None and record.attempt_id in heard.capacity.live_attempt_ids
        return Fate.ALIVE if listed else Fate.NOT_KNOWN
