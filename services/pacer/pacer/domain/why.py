"""Why a campaign dials as it does: one binding constraint, one sentence, the facts; and a team's figures."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from math import floor
from typing import Any

from outdial_contracts.events import BlockReason, SupplyReason
from pacer.domain.bindings import SENTENCES, Binding
from pacer.domain.decide import decide
from pacer.domain.inputs import Reason
from pacer.domain.leases import held
from pacer.domain.policy import budget_left
from pacer.domain.state import Budget, Campaign, Supply, TeamState

AWAY_SECONDS = 8.0
"""No answer for so long while offers are asked for."""
HOURS = frozenset({BlockReason.HOURS, BlockReason.DAY_BANNED, BlockReason.HOLIDAY})
SUPPLY = {
    SupplyReason.NO_LEADS: Binding.NO_LEADS,
    SupplyReason.NOT_DUE: Binding.LEADS_NOT_DUE,
    SupplyReason.CAMPAIGN_PAUSED: Binding.PAUSED,
    SupplyReason.CAMPAIGN_STOPPED: Binding.STOPPED,
    SupplyReason.CAMPAIGN_UNKNOWN: Binding.CAMPAIGN_UNKNOWN,
}


def why(state: TeamState, campaign_id: str, now: datetime) -> dict[str, Any]:
    """The answer of GET /v1/why/{campaign_id}."""
    campaign = state.campaigns.get(campaign_id)
    if campaign is None:
        return answer(campaign_id, Binding.CAMPAIGN_UNKNOWN, {})
    reason = decide(state, now).reasons[campaign_id]
    return answer(campaign_id, binding_of(state, campaign, reason, now), _facts(state, campaign, reason))


def answer(campaign_id: str, binding: Binding, facts: dict[str, Any]) -> dict[str, Any]:
    """The document for one binding."""
    return {"campaign_id": campaign_id, "binding": binding.value, "sentence": SENTENCES[binding], "facts": facts}


def binding_of(state: TeamState, campaign: Campaign, reason: Reason, now: datetime) -> Binding:
    """The constraint that binds, looking behind a lack of offers."""
    starved = reason.binding in (Binding.DIALING, Binding.NO_OFFERS) and not _queued(state, campaign)
    if starved and not _lately(campaign.supply, now):
        return _starved_by(campaign.supply, now)
    if reason.binding in (Binding.DIALING, Binding.AGENTS_BUSY) and not state.fresh_gateways(now):
        return Binding.GATEWAY_AWAY
    return Binding.DIALING if reason.binding is Binding.NO_OFFERS else reason.binding


def figures(state: TeamState) -> dict[str, Any]:
    """The answer of GET /v1/teams/{team_id}."""
    humans = sum(budget.humans for budget in state.budgets.values())
    abandoned = sum(budget.abandoned for budget in state.budgets.values())
    sums = state.figures
    return {
        "team_id": state.team_id,
        "epoch": state.epoch,
        "agents": dict(sorted(Counter(agent.shown() for agent in state.agents.values()).items())),
        "live_calls": len(state.calls),
        "queued_offers": len(state.offers),
        "humans": humans,
        "abandoned": abandoned,
        "drop_rate": _ratio(abandoned, humans),
        "budget_left_calls": min((floor(budget_left(state, c)) for c in state.campaigns.values()), default=None),
        "lines_per_agent": _ratio(sums.line_seconds, sums.duty_seconds),
        "utilisation": _ratio(sums.busy_seconds, sums.duty_seconds),
        "leases": held(state),
        "campaigns": sorted(state.campaigns),
    }


def _starved_by(supply: Supply, now: datetime) -> Binding:
    """What keeps offers from coming."""
    blocks = Counter(supply.blocks)
    if blocks:
        most = blocks.most_common(1)[0][0]
        if most in HOURS:
            return Binding.OUTSIDE_HOURS
        if most == BlockReason.DEPENDENCY_DOWN:
            return Binding.GATE_AWAY
    if supply.reason in SUPPLY and supply.supplied_at is not None:
        return SUPPLY[supply.reason]
    if blocks:
        return Binding.RULES
    if supply.sent_total > supply.cleared_total:
        return Binding.GATE_AWAY if _waited(supply, now) else Binding.NO_OFFERS
    return Binding.SUPPLY_AWAY if _waited(supply, now) else Binding.NO_OFFERS


def _lately(supply: Supply, now: datetime) -> bool:
    return supply.cleared_at is not None and now - supply.cleared_at < timedelta(seconds=AWAY_SECONDS / 2)


def _waited(supply: Supply, now: datetime) -> bool:
    since = max((t for t in (supply.asked_at, supply.cleared_at) if t is not None), default=None)
    return since is not None and now - since >= timedelta(seconds=AWAY_SECONDS)


def _queued(state: TeamState, campaign: Campaign) -> int:
    return sum(offer.campaign_id == campaign.campaign_id for offer in state.offers.values())


def _facts(state: TeamState, campaign: Campaign, reason: Reason) -> dict[str, Any]:
    budget, supply = state.budgets.get(campaign.legal_campaign, Budget()), campaign.supply
    return {
        "state": campaign.state.value,
        "mode": reason.mode.value,
        "degraded": reason.degraded.value if reason.degraded else None,
        "agents_on_duty": state.on_duty(),
        "agents_free": reason.free_agents,
        "agents_freeing": reason.freeing_agents,
        "live_calls": sum(c.offer.campaign_id == campaign.campaign_id for c in state.calls.values()),
        "undecided_calls": reason.undecided_calls,
        "calls_allowed_now": reason.wanted_calls,
        "risk_of_no_agent": reason.risk,
        "answer_share": reason.share,
        "queued_offers": _queued(state, campaign),
        "outstanding_offers": supply.outstanding,
        "supply_reason": supply.reason.value,
        "next_due_at": supply.next_due_at.isoformat() if supply.next_due_at else None,
        "blocked": dict(supply.blocks),
        "refused_by_gateways": dict(campaign.refusals),
        "humans": budget.humans,
        "abandoned": budget.abandoned,
        "budget_left_calls": floor(budget_left(state, campaign)),
        "budget_by": "gate" if campaign.legal_campaign in state.allotments else "pacer",
        "stops": sorted(state.stops),
    }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
