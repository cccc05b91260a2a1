"""How events of a call change its team: stages, leases, the agent's duty, what is learnt, what is spent."""

from __future__ import annotations

from datetime import datetime, timedelta

from outdial_contracts.events import (
    CallAnswered,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    CloseOutcome,
    DialRefusal,
    DialRefused,
    EndClass,
    ProgressStage,
    Verdict,
)
from pacer.domain.agents import Agent, Duty, DutyEvent, end_call, move, reserve
from pacer.domain.leases import (
    AGENT_LEASE_SECONDS,
    DONE_SECONDS,
    MAX_CALL_SECONDS,
    RINGING_MARGIN_SECONDS,
    drop_call,
    extend,
    over,
)
from pacer.domain.state import Budget, Call, CallStage, Done, TeamState

NEEDS_AGENT = frozenset({Verdict.HUMAN, Verdict.SCREENER, Verdict.UNCERTAIN})
"""Verdicts that the gateway brings to an agent."""
REQUEUED_WITH_SECONDS = 5.0
"""An offer refused for capacity is tried again while its clearance lives at least so long."""
BACK_OFF_SECONDS = 0.5
"""A gateway that refused for capacity or call rate is left alone so long."""
NO_SAMPLE = frozenset({EndClass.UNKNOWN, EndClass.CANCELLED, EndClass.NOT_DIALLED})
"""Ends that say nothing of who answers."""
STAGES = {
    ProgressStage.INVITED: CallStage.INVITED,
    ProgressStage.ALERTING: CallStage.ALERTING,
    ProgressStage.EARLY_MEDIA: CallStage.ALERTING,
    ProgressStage.VERDICT: CallStage.ANSWERED,
    ProgressStage.ASSIGNED: CallStage.ASSIGNED,
    ProgressStage.BRIDGED: CallStage.BRIDGED,
}


def on_closed(state: TeamState, event: ClearanceClosed, now: datetime) -> bool:
    """Redeemed: the call lives. Refused or lapsed: the offer or the call is over, and its leases free."""
    attempt = event.attempt_id
    call = state.calls.get(attempt)
    if event.outcome is CloseOutcome.REDEEMED:
        return call is not None and _reach(state, call, CallStage.REDEEMED, now)
    if call is not None:
        drop_call(state, call, now)
        return True
    waiting = state.offers if attempt in state.offers else state.unwanted
    offer = waiting.pop(attempt, None)
    if offer is None:
        return False
    over(state, offer, now)
    return True


def on_dial_refused(state: TeamState, event: DialRefused, now: datetime) -> bool:
    """The gateway gave the channel back; the offer is tried again, or given back, by the reason."""
    call = state.calls.get(event.attempt_id)
    if call is None or call.lease_id != event.lease_id:
        return False
    drop_call(state, call, now)
    del state.done[event.attempt_id]
    campaign = state.campaigns[event.campaign_id]
    campaign.refusals[event.reason.value] = campaign.refusals.get(event.reason.value, 0) + 1
    full = event.reason in (DialRefusal.CAPACITY, DialRefusal.CPS)
    gateway = state.gateways.get(event.gateway_id)
    if full and gateway is not None:
        gateway.full_until = now + timedelta(seconds=BACK_OFF_SECONDS)
    lives = call.offer.expires_at >= now + timedelta(seconds=REQUEUED_WITH_SECONDS)
    (state.offers if full and lives else state.unwanted)[event.attempt_id] = call.offer
    return True


def on_progress(state: TeamState, event: CallProgress, now: datetime) -> bool:
    """A stage was reached; a verdict is learnt from, an assignment takes the agent."""
    call = state.calls.get(event.attempt_id)
    if call is None:
        return _adopt(state, event, now)
    stage = STAGES.get(event.stage, CallStage.DIALLED)
    changed = False
    if event.stage is ProgressStage.VERDICT and event.verdict is not None:
        changed = _decide(state, call, event.verdict in NEEDS_AGENT, event.at)
        changed |= _count_human(state, call, event.verdict)
    agent = state.agents.get(event.agent_id or "")
    if agent is not None:
        changed |= _take(agent, call, event, now)
    return _reach(state, call, stage, now) or changed


def on_answered(state: TeamState, event: CallAnswered, now: datetime) -> bool:
    """The 200; what answered is not known yet."""
    call = state.calls.get(event.attempt_id)
    return call is not None and _reach(state, call, CallStage.ANSWERED, now)


def on_ended(state: TeamState, event: CallEnded, now: datetime) -> bool:
    """The end: what was not counted before is counted, and every lease of the call is free."""
    call = state.calls.get(event.attempt_id)
    if call is None:
        return _late_end(state, event, now)
    if event.end_class is EndClass.ABANDONED:
        _budget(state, call).abandoned += 1
    if event.verdict is not None:
        _count_human(state, call, event.verdict)
    if event.end_class not in NO_SAMPLE:
        _decide(state, call, event.verdict in NEEDS_AGENT, event.ended_at)
    if event.bridged_at is not None:
        state.talk.observe((event.ended_at - event.bridged_at).total_seconds())
    for agent in state.agents.values():
        had_it = agent.lease_id is not None and agent.lease_id == event.agent_lease_id
        if had_it and agent.duty in (Duty.RESERVED, Duty.TALKING):
            end_call(agent, event.ended_at, now)
    drop_call(state, call, now)
    state.done[event.attempt_id].abandoned = event.end_class is EndClass.ABANDONED
    if not event.dialled and call.stage < CallStage.REDEEMED:
        # Maybe redeemed, surely not dialled: given back, the gate closes it now unless it redeemed it.
        del state.done[event.attempt_id]
        state.unwanted[event.attempt_id] = call.offer
    return True


def _late_end(state: TeamState, event: CallEnded, now: datetime) -> bool:
    """The end of a call that this owner never decided or has given up."""
    agent = state.agents.get(event.agent_id or "")
    changed = event.attempt_id not in state.done
    done = state.done.setdefault(event.attempt_id, Done(until=now + timedelta(seconds=DONE_SECONDS)))
    changed |= _count_done(state, done, event.campaign_id, event.verdict)
    campaign = state.campaigns.get(event.campaign_id)
    if campaign is not None and event.end_class is EndClass.ABANDONED and not done.abandoned:
        done.abandoned = changed = True
        state.budget(campaign).abandoned += 1
    if agent is not None and agent.attempt_id == event.attempt_id and agent.duty in (Duty.RESERVED, Duty.TALKING):
        end_call(agent, event.ended_at, now)
        return True
    return changed


def _adopt(state: TeamState, event: CallProgress, now: datetime) -> bool:
    """An agent was given a call by an owner whose record is void: he has it all the same."""
    if event.attempt_id in state.done:
        return _count_done(state, state.done[event.attempt_id], event.campaign_id, event.verdict)
    agent = state.agents.get(event.agent_id or "")
    if agent is None or event.agent_lease_id is None:
        return False
    if agent.duty is Duty.IDLE:
        until = now + timedelta(seconds=AGENT_LEASE_SECONDS)
        reserve(agent, event.attempt_id, event.agent_lease_id, until, now)
    if agent.lease_id != event.agent_lease_id or agent.duty not in (Duty.RESERVED, Duty.TALKING):
        return False
    _claimed(agent, event, now)
    return True


def _take(agent: Agent, call: Call, event: CallProgress, now: datetime) -> bool:
    """The gateway gave this agent's leg to the call."""
    if agent.duty is Duty.IDLE and event.agent_lease_id is not None:
        until = now + timedelta(seconds=AGENT_LEASE_SECONDS)
        reserve(agent, event.attempt_id, event.agent_lease_id, until, now)
    if agent.attempt_id != event.attempt_id or agent.duty not in (Duty.RESERVED, Duty.TALKING):
        return False
    call.agent_id = agent.agent_id
    _claimed(agent, event, now)
    return True


def _claimed(agent: Agent, event: CallProgress, now: datetime) -> None:
    agent.claimed = True
    if event.stage is ProgressStage.BRIDGED:
        move(agent, DutyEvent.BRIDGE, now)
        agent.lease_until = now + timedelta(seconds=MAX_CALL_SECONDS)


def _reach(state: TeamState, call: Call, stage: CallStage, now: datetime) -> bool:
    if stage <= call.stage:
        return False
    call.stage = stage
    document = state.campaigns[call.offer.campaign_id].document
    ring = document.ring_timeout_seconds if document is not None else 60
    extend(call, MAX_CALL_SECONDS if stage is CallStage.BRIDGED else ring + RINGING_MARGIN_SECONDS, now)
    return True


def _decide(state: TeamState, call: Call, needs_agent: bool, at: datetime) -> bool:
    if call.decided:
        return False
    call.decided, call.needs_agent = True, needs_agent
    answers = state.campaigns[call.offer.campaign_id].answers
    answers.observe(needs_agent, (at - call.dialled_at).total_seconds())
    return True


def _count_human(state: TeamState, call: Call, verdict: Verdict) -> bool:
    if call.human or verdict is not Verdict.HUMAN:
        return False
    call.human = True
    _budget(state, call).humans += 1
    return True


def _count_done(state: TeamState, done: Done, campaign_id: str, verdict: Verdict | None) -> bool:
    """A person's answer is told once the call is over, as when its gateway died before."""
    campaign = state.campaigns.get(campaign_id)
    if done.human or campaign is None or verdict is not Verdict.HUMAN:
        return False
    done.human = True
    state.budget(campaign).humans += 1
    return True


def _budget(state: TeamState, call: Call) -> Budget:
    return state.budget(state.campaigns[call.offer.campaign_id])
