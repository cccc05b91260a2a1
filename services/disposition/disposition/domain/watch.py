"""Whether a gateway still has an attempt, from what gateway.capacity said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from disposition.domain.record import AttemptRecord
from outdial_contracts.events import GatewayCapacity

SILENT_SECONDS = 8.0
"""gateway.capacity comes every 2 s; a gateway silent so long is gone."""
SETTLING_SECONDS = 5.0
"""An attempt this young may not be listed yet."""


class Fate(StrEnum):
    """What to do with an attempt without an end."""

    ALIVE = "alive"
    GONE = "gone"
    NOT_KNOWN = "not_known"


@dataclass(kw_only=True)
class GatewayWatch:
    """The newest capacity of each gateway. `since` is when we began to listen: before it nothing is proven."""

    since: datetime
    newest: dict[str, GatewayCapacity]

    def heard(self, capacity: GatewayCapacity) -> None:
        """Keeps the newest."""
        before = self.newest.get(capacity.gateway_id)
        if before is None or before.at <= capacity.at:
            self.newest[capacity.gateway_id] = capacity

    def fate(self, record: AttemptRecord, now: datetime) -> Fate:
        """Alive when its gateway lists it, gone when its boot is, not known when it is just not listed."""
        redemption = record.redemption
        if redemption is None or redemption.gateway_id is None:
            return Fate.NOT_KNOWN
        if now - redemption.redeemed_at < timedelta(seconds=SETTLING_SECONDS):
            return Fate.ALIVE
        capacity = self.newest.get(redemption.gateway_id)
        silent_for = now - (capacity.at if capacity else self.since)
        if silent_for > timedelta(seconds=SILENT_SECONDS):
            return Fate.GONE
        if capacity is None:
            return Fate.NOT_KNOWN
        if capacity.boot_id != redemption.boot_id:
            return Fate.GONE
        return Fate.ALIVE if record.head.attempt_id in capacity.live_attempt_ids else Fate.NOT_KNOWN
