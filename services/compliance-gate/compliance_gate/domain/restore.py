"""The restore lock: after its database went back in time the gate stays shut until nothing can be dialled by mistake.

A token that was signed after the backup lives one clearance lifetime; a redemption that the backup does not hold is on
the topics. So the gate opens once every token of before is dead and the topics were read to their ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from compliance_gate.domain.ledger import Checkpoint
from outdial_contracts.events import ComplianceLedger

OPERATOR = "the operator said so"
MARKS_LOCK = "restore:marks"
"""Whoever reads or moves the marks holds this lock."""
MIN_LIFETIME_SECONDS = 60
"""Of a clearance, whatever the campaigns that are known now say."""
LATE_SECONDS = 2.0
"""As far as two clocks may be apart (last_look.MAX_SKEW)."""


@dataclass(frozen=True, kw_only=True)
class RestoreLock:
    """Nothing is redeemed."""

    locked_at: datetime | None
    """When something was last found missing; None while only the operator has spoken and no process has seen it."""
    reason: str
    """What was found missing first."""
    restored: int = 0
    """Facts put back."""
    unrestorable: int = 0
    """Redemptions whose offer is on no topic any more: the caps can't count them."""
    accepted: bool = False
    """The operator answers for the unrestorable ones."""

    def found(self, now: datetime, restored: int, unrestorable: int) -> RestoreLock:
        """The lock after more was found: its time begins anew."""
        return replace(
            self,
            locked_at=now,
            restored=self.restored + restored,
            unrestorable=self.unrestorable + unrestorable,
            accepted=self.accepted and not unrestorable,
        )

    def accept(self) -> RestoreLock:
        """The lock once the operator answers for the losses."""
        return replace(self, accepted=True)

    def opens_at(self, lifetime_seconds: int) -> datetime | None:
        """When the last token of before is dead."""
        if self.locked_at is None:
            return None
        return self.locked_at + timedelta(seconds=max(lifetime_seconds, MIN_LIFETIME_SECONDS) + LATE_SECONDS)

    def may_open(self, now: datetime, lifetime_seconds: int) -> bool:
        """Whether time and losses allow it; that the topics were read is the caller's to know."""
        opens_at = self.opens_at(lifetime_seconds)
        return opens_at is not None and now >= opens_at and (self.accepted or not self.unrestorable)

    def sentence(self, lifetime_seconds: int) -> str:
        """For /readyz."""
        if self.unrestorable and not self.accepted:
            return f"restore lock: {self.unrestorable} redemptions are on no topic any more; see docs/restore.md"
        opens_at = self.opens_at(lifetime_seconds)
        until = opens_at.isoformat(timespec="seconds") if opens_at else "it was read back"
        return f"restore lock: the database was restored ({self.reason}); nothing is redeemed before {until}"


def lost_heads(published: Iterable[ComplianceLedger], known: Iterable[Checkpoint]) -> dict[str, tuple[int, str]]:
    """Chain id -> sequence number and head of its last published checkpoint, where the database does not hold it."""
    held = {(checkpoint.chain_id, checkpoint.seq, checkpoint.head) for checkpoint in known}
    lost: dict[str, tuple[int, str]] = {}
    for event in published:
        if (event.chain_id, event.seq, event.head) not in held:
            lost[event.chain_id] = (event.seq, event.head)
    return lost
