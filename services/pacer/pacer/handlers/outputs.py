"""A decision -> call.dial, pacing.demand, offer.returned; an owner -> team.owner."""

from __future__ import annotations

from datetime import datetime

from outdial_contracts.events import (
    CallDial,
    CallMode,
    CampaignDocument,
    OfferReturned,
    OfferReturnReason,
    PacingDemand,
    TeamOwner,
)
from outdial_runtime.outcome import Emit
from pacer.domain.inputs import Dial, Want
from pacer.domain.state import Offer, TeamState
from pacer.domain.step import Step
from pacer.ports import Deps


def outputs(deps: Deps, state: TeamState, step: Step) -> list[Emit]:
    """What leaves once the decision is in the journal."""
    decision, at, offers = step.decision, step.decided_at, step.offers
    if decision is None or at is None or offers is None:
        return []
    dials = [_call_dial(deps, state, dial, offers[dial.attempt_id], at) for dial in decision.dials]
    wants = [_demand(state, want, at) for want in decision.wants]
    return dials + wants + [_returned(state, offers[attempt_id], at) for attempt_id in decision.returned]


def team_owner(deps: Deps, state: TeamState, at: datetime) -> Emit:
    """Says whom gateways ask for an agent."""
    event = TeamOwner(team_id=state.team_id, epoch=state.epoch, owner_id=deps.owner_id, address=deps.address, at=at)
    return Emit(event=event, cause=f"owner:{state.team_id}:{state.epoch}")


def _call_dial(deps: Deps, state: TeamState, dial: Dial, offer: Offer, at: datetime) -> Emit:
    document = _document(state, dial.campaign_id)
    event = CallDial(
        attempt_id=dial.attempt_id,
        team_id=state.team_id,
        campaign_id=dial.campaign_id,
        campaign_version=offer.campaign_version,
        context=offer.context,
        gateway_id=dial.gateway_id,
        gateway_partition=dial.gateway_partition,
        token=offer.token,
        mode=CallMode.LIVE_AUTODIALED,
        dial_mode=dial.dial_mode,
        caller_id=dial.caller_id,
        route_id=document.route_id,
        person_token=offer.person_token,
        callee_token=offer.callee_token,
        destination_prefix=offer.destination_prefix,
        ring_timeout_seconds=document.ring_timeout_seconds,
        safe_harbour=document.safe_harbour,
        seller_id=document.seller_id,
        lease_id=dial.lease_id,
        agent_id=dial.agent_id,
        agent_lease_id=dial.agent_lease_id,
        owner_epoch=state.epoch,
        owner_address=deps.address,
        decided_at=at,
        expires_at=dial.expires_at,
    )
    return Emit(event=event, cause=f"dial:{dial.attempt_id}:{dial.lease_id}")


def _demand(state: TeamState, want: Want, at: datetime) -> Emit:
    event = PacingDemand(
        campaign_id=want.campaign_id,
        campaign_version=state.campaigns[want.campaign_id].version,
        team_id=state.team_id,
        epoch=state.epoch,
        wanted_total=want.wanted_total,
        asked_at=at,
    )
    return Emit(event=event, cause=f"demand:{want.campaign_id}:{state.epoch}:{want.wanted_total}")


def _returned(state: TeamState, offer: Offer, at: datetime) -> Emit:
    event = OfferReturned(
        attempt_id=offer.attempt_id,
        team_id=state.team_id,
        campaign_id=offer.campaign_id,
        campaign_version=offer.campaign_version,
        context=offer.context,
        reason=OfferReturnReason.POLICY,
        returned_at=at,
    )
    return Emit(event=event, cause=f"returned:{offer.attempt_id}")


def _document(state: TeamState, campaign_id: str) -> CampaignDocument:
    document = state.campaigns[campaign_id].document
    if document is None:
        raise ValueError(f"campaign {campaign_id} was dialled without a document")
    return document
