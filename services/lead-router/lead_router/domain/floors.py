"""Where a lead goes on that was submitted, and perhaps called, after the backup that the database was restored from.

Its numbers were on no topic, so it has to be submitted again. What was said of it is on the topics: its offer numbers
must not be used again, its revisions must not go back, and what had ended stays ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lead_router.domain.leads import Lead
from lead_router.domain.lifecycle import is_final
from outdial_contracts.events import DispositionCode, LeadState, LeadStatus

IN_FLIGHT = frozenset({LeadStatus.OFFERED, LeadStatus.ATTEMPTING})
LONGEST_CALL = timedelta(hours=1)
"""A lead that was last heard of on call is not offered before this."""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What the topics say of one lead."""

    lead_id: str
    offers: int = 0
    """Its highest offer number."""
    revision: int = 0
    """Of its last lead.state."""
    status: LeadStatus | None = None
    attempts: int = 0
    last_code: DispositionCode | None = None
    due_at: datetime | None = None

    def offered(self, offer_no: int) -> Floor:
        """The floor above one more offer."""
        return replace(self, offers=max(self.offers, offer_no))

    def heard(self, event: LeadState) -> Floor:
        """The floor above one more lead.state."""
        if event.revision <= self.revision:
            return self
        due_at = event.at + LONGEST_CALL if event.status in IN_FLIGHT else event.next_due_at
        return replace(
            self,
            revision=event.revision,
            status=event.status,
            attempts=event.attempts,
            last_code=event.last_code,
            due_at=due_at,
        )

    def only_its_end(self) -> Floor:
        """The floor of a lead whose submission is on its topic: its attempts will be counted from their own events."""
        ended = self.status is not None and is_final(self.status)
        return replace(self, status=self.status if ended else None, attempts=0, last_code=None, due_at=None)


def lifted(lead: Lead, floor: Floor) -> Lead:
    """A lead just admitted, where the topics say that it stands."""
    status = floor.status or lead.status
    if status in IN_FLIGHT:
        status = LeadStatus.WAITING
    return replace(
        lead,
        status=status,
        offers=max(lead.offers, floor.offers),
        revision=floor.revision + 1,
        attempts=floor.attempts,
        last_code=floor.last_code,
        due_at=floor.due_at or lead.due_at,
    )


def caught_up(lead: Lead, event: LeadState) -> Lead:
    """A known lead after a lead.state that the database had forgotten: never behind it, and ended if it had ended."""
    if event.revision <= lead.revision:
        return lead
    ended = is_final(event.status) and not is_final(lead.status)
    return replace(
        lead,
        revision=event.revision,
        status=event.status if ended else lead.status,
        block_reasons=event.block_reasons if ended else lead.block_reasons,
        changed_at=event.at,
    )
