"""Demand and supply are cumulative totals per campaign and epoch, so that a repeat doubles nothing.

`wanted_total` counts cleared offers. Every offer is sent once and counted in `sent_total`; one that was blocked or
never answered is counted in `blocked_total` and is replaced. Refused and lapsed offers are not replaced: the pacer asks
anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from lead_router.domain.leads import Campaign
from outdial_contracts.events import CampaignState, PacingDemand, PacingSupply, SupplyReason


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What the pacer wants of a campaign in one epoch and what it got."""

    campaign_id: str
    team_id: str
    epoch: int
    wanted_total: int
    sent_total: int = 0
    blocked_total: int = 0
    supply_no: int = 0
    """Number of the last pacing.supply of this epoch."""
    published: tuple[int, SupplyReason, datetime | None] | None = None
    """sent minus blocked, reason and next due time as last published."""

    @property
    def supplied(self) -> int:
        """Offers sent minus those blocked."""
        return self.sent_total - self.blocked_total

    @property
    def shortfall(self) -> int:
        """Offers still to send."""
        return max(self.wanted_total - self.supplied, 0)


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What a campaign has left."""

    any_open: bool
    """Whether any lead is not final."""
    next_due_at: datetime | None
    """When the next waiting lead becomes due; None if none waits for a time."""


def raise_demand(current: Demand | None, event: PacingDemand) -> Demand | None:
    """The demand after the event; None when the event belongs to an older epoch."""
    if current is None or event.epoch > current.epoch:
        return Demand(
            campaign_id=event.campaign_id,
            team_id=event.team_id,
            epoch=event.epoch,
            wanted_total=event.wanted_total,
        )
    if event.epoch < current.epoch:
        return None
    return replace(current, wanted_total=max(current.wanted_total, event.wanted_total))


def lost(demand: Demand, epoch: int) -> Demand:
    """The demand after an offer of `epoch` was blocked or stayed unanswered; offers of other epochs change nothing."""
    if demand.epoch != epoch:
        return demand
    return replace(demand, blocked_total=demand.blocked_total + 1)


def dial_bar(campaign: Campaign | None, stops: Collection[str]) -> SupplyReason | None:
    """Why nothing may be offered for the campaign at all, or None.

    Args:
        stops: scopes whose stop button is pressed; regions are the gate's to judge, per lead.
    """
    if campaign is None:
        return SupplyReason.CAMPAIGN_UNKNOWN
    document = campaign.document
    scopes = {"all", f"seller:{document.seller_id}", f"route:{document.route_id}"}
    if campaign.state is CampaignState.STOPPED or not scopes.isdisjoint(stops):
        return SupplyReason.CAMPAIGN_STOPPED
    return None if campaign.state is CampaignState.RUNNING else SupplyReason.CAMPAIGN_PAUSED


def report(
    demand: Demand, bar: SupplyReason | None, backlog: Backlog, now: datetime
) -> tuple[Demand, PacingSupply | None]:
    """The pacing.supply to send and the demand that remembers it; None when it would only repeat the last one."""
    reason, next_due_at = _reason(demand, bar, backlog)
    said = (demand.supplied, reason, next_due_at)
    if demand.published == said:
        return demand, None
    event = PacingSupply(
        team_id=demand.team_id,
        campaign_id=demand.campaign_id,
        epoch=demand.epoch,
        sent_total=demand.supplied,
        reason=reason,
        next_due_at=next_due_at,
        supplied_at=now,
    )
    return replace(demand, published=said, supply_no=demand.supply_no + 1), event


def _reason(demand: Demand, bar: SupplyReason | None, backlog: Backlog) -> tuple[SupplyReason, datetime | None]:
    if not demand.shortfall:
        return SupplyReason.SATISFIED, None
    if bar is not None:
        return bar, None
    if not backlog.any_open:
        return SupplyReason.NO_LEADS, None
    return SupplyReason.NOT_DUE, backlog.next_due_at
