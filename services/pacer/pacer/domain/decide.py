"""decide(state, now): which offers are dialled, given back and asked for. It reads the state and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from outdial_contracts.events import CampaignDocument, CampaignState, DialMode
from pacer.domain.agents import Agent
from pacer.domain.bindings import Binding
from pacer.domain.demand import pipeline_target, wants
from pacer.domain.inputs import Decision, Dial, Reason
from pacer.domain.leases import RINGING_MARGIN_SECONDS, UNHEARD_SECONDS
from pacer.domain.placing import Channels, choose_number
from pacer.domain.policy import (
    Outlook,
    affordable_risk,
    budget_left,
    mode_in_force,
    one_per_agent,
    outlook,
    overdial,
)
from pacer.domain.state import Campaign, Offer, TeamState

DIAL_LIVES_SECONDS = 5.0
CALLS_PER_SECOND_SHARE = 2
"""Agents per call that may start within a second."""
RETURNED_WITH_SECONDS = 3.0
"""An offer whose clearance ends sooner is given back rather than dialled."""


def decide(state: TeamState, now: datetime) -> Decision:
    """What is done now; the same state and `now` give the same decision to the last byte."""
    draft = _Draft(state=state, now=now, on_duty=state.on_duty(), channels=Channels(state, now))
    returned = tuple(attempt_id for attempt_id, offer in _waiting(state) if _unwanted(state, offer, now))
    draft.gone.update(returned)
    reasons = {}
    for campaign_id in sorted(state.campaigns, key=lambda c: (_lines(state, c), c)):
        reasons[campaign_id] = _pace(draft, state.campaigns[campaign_id])
    targets = {c: pipeline_target(state, state.campaigns[c], reasons[c]) for c in reasons}
    queued = {c: sum(o.campaign_id == c for a, o in state.offers.items() if a not in draft.gone) for c in reasons}
    return Decision(dials=tuple(draft.dials), wants=wants(state, targets, queued), returned=returned, reasons=reasons)


@dataclass(kw_only=True)
class _Draft:
    """What this decision has given away already."""

    state: TeamState
    now: datetime
    on_duty: int
    """Agents signed in and not paused."""
    channels: Channels
    gone: set[str] = field(default_factory=set)
    """Offers dialled or given back."""
    reserved: set[str] = field(default_factory=set)
    """Agents."""
    used_at: dict[str, datetime] = field(default_factory=dict)
    dials: list[Dial] = field(default_factory=list)

    def free_agents(self, campaign: Campaign) -> list[Agent]:
        """Agents that may be given a call of the campaign, longest idle first."""
        free = [
            agent
            for agent in self.state.agents.values()
            if agent.agent_id not in self.reserved and agent.free(self.now) and agent.takes(campaign.campaign_id)
        ]
        return sorted(free, key=lambda agent: (agent.idle_since or self.now, agent.agent_id))


def _waiting(state: TeamState) -> list[tuple[str, Offer]]:
    return [*state.unwanted.items(), *state.offers.items()]


def _unwanted(state: TeamState, offer: Offer, now: datetime) -> bool:
    """Whether an offer is given back: refused for good, about to expire, or of a campaign that may not dial."""
    campaign = state.campaigns.get(offer.campaign_id)
    return (
        offer.attempt_id in state.unwanted
        or offer.expires_at - now < timedelta(seconds=RETURNED_WITH_SECONDS)
        or campaign is None
        or campaign.state is not CampaignState.RUNNING
        or state.stopped_by(campaign, offer.context.region) is not None
    )


def _lines(state: TeamState, campaign_id: str) -> int:
    return sum(call.offer.campaign_id == campaign_id for call in state.calls.values())


def _pace(draft: _Draft, campaign: Campaign) -> Reason:
    """Dials what the campaign may dial now and says what bound it."""
    state = draft.state
    mode, degraded = mode_in_force(state, campaign)
    barred = bar(state, campaign)
    document = campaign.document
    if barred is not None or document is None:
        return Reason(binding=barred or Binding.CAMPAIGN_UNKNOWN, mode=mode, degraded=degraded)
    free = draft.free_agents(campaign)
    view = outlook(state, campaign, len(free), draft.now, extra=len(draft.dials))
    room = int(document.max_lines_per_agent * draft.on_duty) - len(state.calls) - len(draft.dials)
    allowed = _allowed(draft, campaign, mode, view)
    calls = max(min(allowed, room, _burst(draft)), 0)
    reason = Reason(
        binding=Binding.DIALING,
        mode=mode,
        degraded=degraded,
        wanted_calls=calls,
        risk=round(view.risk(max(calls, 1)), 6),
        share=round(view.share, 6),
        free_agents=len(free),
        freeing_agents=round(view.freeing_mean, 6),
        undecided_calls=sum(call.undecided for call in state.calls.values()),
    )
    if calls:
        return replace(reason, binding=_place(draft, campaign, document, mode, calls) or Binding.DIALING)
    return replace(reason, binding=_idle(reason, full=allowed > 0 and room <= 0))


def _burst(draft: _Draft) -> int:
    """Calls that may start now: half as many as agents each second, so that nobody sees a wall of calls."""
    since = draft.now - timedelta(seconds=1)
    started = sum(call.dialled_at > since for call in draft.state.calls.values()) + len(draft.dials)
    return ceil(draft.on_duty / CALLS_PER_SECOND_SHARE) - started


def bar(state: TeamState, campaign: Campaign) -> Binding | None:
    """Why the campaign may not dial at all, or None."""
    if campaign.document is None:
        return Binding.CAMPAIGN_UNKNOWN
    if campaign.state is CampaignState.STOPPED:
        return Binding.STOPPED
    if campaign.state is not CampaignState.RUNNING:
        return Binding.PAUSED
    if state.stopped_by(campaign) is not None:
        return Binding.STOP_BUTTON
    if mode_in_force(state, campaign)[1] is Binding.MODE_NOT_SERVED:
        return Binding.MODE_NOT_SERVED
    takers = (a for a in state.agents.values() if a.on_duty and a.takes(campaign.campaign_id))
    return None if any(takers) else Binding.NO_AGENTS


def _allowed(draft: _Draft, campaign: Campaign, mode: DialMode, view: Outlook) -> int:
    document = campaign.document
    if mode is not DialMode.PREDICTIVE or document is None:
        dialled = sum(dial.agent_id is None for dial in draft.dials)
        return max(one_per_agent(draft.state, view.free) - dialled, 0)
    risk = affordable_risk(budget_left(draft.state, campaign), document.abandon_limit)
    return overdial(view, risk, 2 * draft.on_duty)


def _idle(reason: Reason, *, full: bool) -> Binding:
    """What binds when no call may be dialled now."""
    if full:
        return Binding.LINES_CAP
    if reason.degraded is Binding.ABANDON_BUDGET:
        return Binding.ABANDON_BUDGET
    return Binding.DIALING if reason.undecided_calls else Binding.AGENTS_BUSY


def _place(draft: _Draft, campaign: Campaign, document: CampaignDocument, mode: DialMode, calls: int) -> Binding | None:
    """Dials up to `calls` of the campaign's offers, best first; returns what ran out first.

    An offer for which no number may be shown is passed over, and given back when its clearance ends.
    """
    offers = [o for a, o in draft.state.offers.items() if o.campaign_id == campaign.campaign_id and a not in draft.gone]
    offers.sort(key=lambda o: (-o.score, o.cleared_at, o.attempt_id))
    placed, without_number = 0, False
    for offer in offers:
        if placed == calls:
            return None
        agent = None
        if mode is not DialMode.PREDICTIVE or offer.agent_guaranteed:
            agent = next(iter(draft.free_agents(campaign)), None)
            if agent is None:
                return Binding.AGENTS_BUSY
        used_at = {**campaign.numbers_used_at, **draft.used_at}
        number = choose_number(campaign, offer, draft.state.stops, used_at, draft.now)
        if number is None:
            without_number = True
            continue
        gateway = draft.channels.take(agent.gateway_id if agent else None)
        if gateway is None:
            return Binding.CHANNELS if draft.channels.any_gateway else Binding.GATEWAY_AWAY
        expires_at = min(offer.expires_at, draft.now + timedelta(seconds=DIAL_LIVES_SECONDS))
        lives = document.ring_timeout_seconds + RINGING_MARGIN_SECONDS if agent else UNHEARD_SECONDS
        serial = draft.state.next_lease + len(draft.dials)
        placed += 1
        draft.gone.add(offer.attempt_id)
        draft.used_at[number] = draft.now
        if agent is not None:
            draft.reserved.add(agent.agent_id)
        draft.dials.append(
            Dial(
                attempt_id=offer.attempt_id,
                campaign_id=campaign.campaign_id,
                gateway_id=gateway.gateway_id,
                gateway_partition=gateway.partition,
                caller_id=number,
                lease_id=f"c-{draft.state.epoch}-{serial}",
                dial_mode=mode,
                expires_at=expires_at,
                lease_until=expires_at + timedelta(seconds=lives),
                agent_id=agent.agent_id if agent else None,
                agent_lease_id=f"a-{draft.state.epoch}-{serial}" if agent else None,
            )
        )
    if placed == calls:
        return None
    return Binding.NUMBER_POOL if without_number else Binding.NO_OFFERS
