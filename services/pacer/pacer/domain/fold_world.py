"""How what concerns every team (campaigns, stop buttons, gateways) changes one of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from outdial_contracts.events import AbandonBudget, CampaignPublished, GatewayCapacity, StopChanged
from pacer.domain.leases import LISTED_AFTER_SECONDS, UNHEARD_SECONDS, free_boot
from pacer.domain.state import Allotment, Budget, Campaign, Gateway, TeamState


def on_campaign(state: TeamState, event: CampaignPublished, now: datetime) -> bool:
    """A version or the state of a campaign; an older version than the newest changes nothing."""
    if event.team_id != state.team_id:
        return False
    campaign = state.campaigns.setdefault(event.campaign_id, Campaign(campaign_id=event.campaign_id))
    if event.document is None:
        if campaign.state is event.state:
            return False
        campaign.state = event.state
        return True
    if event.version <= campaign.version:
        return False
    campaign.version, campaign.document = event.version, event.document
    return True


def on_stop(state: TeamState, event: StopChanged, now: datetime) -> bool:
    """A stop button was pressed or released."""
    if event.stopped:
        if state.stops.get(event.scope) == event.reason:
            return False
        state.stops[event.scope] = event.reason
        return True
    return state.stops.pop(event.scope, None) is not None


def on_budget(state: TeamState, event: AbandonBudget, now: datetime) -> bool:
    """What may still be dropped; a team that a legal campaign's budget does not name has no part in it."""
    key, known = event.legal_campaign, state.allotments.get(event.legal_campaign)
    mine = next((team for team in event.teams if team.team_id == state.team_id), None)
    takes_part = mine is not None or any(c.legal_campaign == key for c in state.campaigns.values())
    if not takes_part or (known is not None and event.at <= known.at):
        return False
    humans, abandoned = (mine.humans, mine.abandoned) if mine else (0, 0)
    own = state.budgets.get(key, Budget())
    state.allotments[key] = Allotment(
        at=event.at,
        limit=event.limit,
        calls=mine.allotted_calls if mine else 0.0,
        humans=humans,
        abandoned=abandoned,
        unknown_humans=known.unknown_humans if known else max(humans - own.humans, 0),
        unknown_abandoned=known.unknown_abandoned if known else max(abandoned - own.abandoned, 0),
    )
    return True


def on_capacity(state: TeamState, event: GatewayCapacity, now: datetime) -> bool:
    """A gateway spoke. Calls of a former boot, and calls that it should list and does not, are over."""
    known = state.gateways.get(event.gateway_id)
    live = frozenset(event.live_attempt_ids)
    if known is not None and known.boot_id != event.boot_id:
        free_boot(state, event.gateway_id, known.boot_id, now, alive=live)
        known = None
    listed_from = event.at - timedelta(seconds=LISTED_AFTER_SECONDS)
    for call in [c for c in state.calls.values() if c.gateway_id == event.gateway_id]:
        if call.offer.attempt_id in live:
            call.boot_id = event.boot_id
        elif call.dialled_at < listed_from:
            # Its call.ended may be on its way and is worth having: it says what the call was.
            call.lease_until = min(call.lease_until, now + timedelta(seconds=UNHEARD_SECONDS))
    state.gateways[event.gateway_id] = Gateway(
        gateway_id=event.gateway_id,
        boot_id=event.boot_id,
        partition=event.partition,
        free_channels=event.free_channels,
        draining=event.draining,
        heard_at=now,
        live_attempt_ids=live & state.calls.keys(),
        full_until=known.full_until if known else None,
    )
    return True
