"""How many cleared offers are asked for: what will be dialled in the next few seconds, no hopper that goes stale."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from outdial_contracts.events import DialMode
from pacer.domain.bindings import Binding
from pacer.domain.inputs import Reason, Want
from pacer.domain.state import Campaign, TeamState

AHEAD_SECONDS = 4.0
MOST_PER_AGENT = 2
BARRED = frozenset(
    {
        Binding.CAMPAIGN_UNKNOWN,
        Binding.STOPPED,
        Binding.PAUSED,
        Binding.STOP_BUTTON,
        Binding.MODE_NOT_SERVED,
        Binding.NO_AGENTS,
    }
)
"""Bindings under which nothing is asked for."""


def pipeline_target(state: TeamState, campaign: Campaign, reason: Reason) -> int:
    """Offers that should be queued or on their way: 4 s of dialing, two bursts, at most two per agent."""
    if reason.binding in BARRED:
        return 0
    agents = sum(a.on_duty and a.takes(campaign.campaign_id) for a in state.agents.values())
    share = campaign.answers.share if reason.mode is DialMode.PREDICTIVE else 1.0
    cycle_seconds = state.talk.mean_seconds + state.wrap.mean_seconds
    rate = agents / cycle_seconds / share
    burst = max(ceil(agents / 4), ceil(reason.free_agents / share / 2))
    sharing = sum(c.document is not None and c.state is campaign.state for c in state.campaigns.values())
    return max(ceil(min(max(rate * AHEAD_SECONDS, 2 * burst), MOST_PER_AGENT * agents) / max(sharing, 1)), 1)


def wants(state: TeamState, targets: Mapping[str, int], queued: Mapping[str, int]) -> tuple[Want, ...]:
    """Raised totals; small differences wait until they are worth a message."""
    raised = []
    for campaign_id, target in targets.items():
        supply = state.campaigns[campaign_id].supply
        short = target - queued[campaign_id] - supply.outstanding
        if short >= max(1, target // 4) or (short > 0 and not queued[campaign_id]):
            raised.append(Want(campaign_id=campaign_id, wanted_total=supply.wanted_total + short))
    return tuple(raised)
