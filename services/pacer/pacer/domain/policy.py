"""How many calls to dial now.

Theory of operation. A call dialled now asks for an agent, if a person answers it, about D seconds later: D is the mean
time from dialing to the verdict. By then

* A, the calls already out that will ask for an agent, have asked: each does with the probability that its campaign's
  calls do, corrected for its age (a phone that still rings after many seconds is rarely picked up);
* R agents have become free: each busy agent does with the probability that his talk (a lognormal fitted to this team's
  talks, conditional on how long it has lasted) and then his wrap-up end before D plus the time a person may wait;
* F agents are free already.

The call finds nobody if A + K >= F + R, where K are those dialled along with it. The sum of independent trials is taken
as normal, with a continuity correction: means and variances add, which costs nothing for any number of agents.
Calls are added while the last one's risk stays below the risk that the drop budget affords. All calls before the last
one have a lower risk, so the mean drop rate stays below that too. The affordable risk is the campaign's limit scaled by
what is left of its budget (formats.md: limit x (humans answered + 100) - spent; of what the gate counts for all teams
of the legal campaign, this team's part and what it saw since), less what the calls out are expected to spend:
a fresh budget allows more, a spent one less, and with less than one call left predictive becomes progressive.
This closes the loop: if the model is wrong about the world, the budget notices.

Progressive dials one call per free agent and reserves him; it can't abandon unless an agent vanishes.
Sources of the idea: Samuelson, "Predictive Dialing for Outbound Telephone Call Centers", Interfaces 29 (1999); the
limits are 47 CFR 64.1200(a)(7).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import erfc, sqrt

from outdial_contracts.events import AgentAvailability, DialMode
from pacer.domain.agents import Agent, Duty
from pacer.domain.bindings import Binding
from pacer.domain.state import Budget, Call, Campaign, TeamState

PATIENCE_SECONDS = 0.8
"""How long a person may wait for an agent after the verdict: 2.0 s of the law from the end of the greeting, less the
verdict's own time and the bridge."""
FULL_RISK = 2.5
"""Most that the affordable risk may exceed the campaign's limit, while the budget is fresh."""
BUDGET_SCALE_CALLS = 1.5
"""Budget left (beyond the last call) at which the affordable risk equals the limit."""
SERVED_MODES = frozenset({DialMode.PREDICTIVE, DialMode.PROGRESSIVE, DialMode.POWER})


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a call dialled now will find when a person answers it."""

    free: int
    asking_mean: float
    """Calls out that will ask for an agent."""
    freeing_mean: float
    """Agents who become free in time."""
    variance: float
    """Of both together."""
    share: float
    """Of calls dialled now that will ask for an agent."""

    def risk(self, calls: int) -> float:
        """Probability that the last of so many calls, if answered by a person, finds no agent."""
        others = calls - 1
        mean = self.asking_mean + others * self.share - self.freeing_mean
        variance = self.variance + others * self.share * (1 - self.share)
        if variance < 1e-9:
            return 1.0 if mean >= self.free else 0.0
        return 0.5 * erfc((self.free - 0.5 - mean) / sqrt(2 * variance))


def mode_in_force(state: TeamState, campaign: Campaign) -> tuple[DialMode, Binding | None]:
    """The mode after degrading, and why predictive is not in force where the document says so."""
    document = campaign.document
    if document is None or document.mode not in SERVED_MODES:
        return DialMode.UNKNOWN, Binding.MODE_NOT_SERVED
    if document.mode is not DialMode.PREDICTIVE:
        return DialMode.PROGRESSIVE, None
    if budget_left(state, campaign) < 1.0:
        return DialMode.PROGRESSIVE, Binding.ABANDON_BUDGET
    if state.on_duty() < document.small_team_below:
        return DialMode.PROGRESSIVE, Binding.SMALL_TEAM
    return DialMode.PREDICTIVE, None


def budget_left(state: TeamState, campaign: Campaign) -> float:
    """Calls of the campaign's drop budget that are left: by the gate's word, else by the team's own count."""
    own = state.budgets.get(campaign.legal_campaign, Budget())
    limit = campaign.document.abandon_limit if campaign.document else 0.0
    allotted = state.allotments.get(campaign.legal_campaign)
    return allotted.left(own, limit) if allotted is not None else own.left(limit)


def affordable_risk(left: float, limit: float) -> float:
    """Highest probability of finding no agent that a call dialled now may have."""
    scale = (left - 1.0) / BUDGET_SCALE_CALLS
    return limit * min(max(scale, 0.0), FULL_RISK)


def outlook(state: TeamState, campaign: Campaign, free: int, now: datetime, extra: int = 0) -> Outlook:
    """What is known about the time a call dialled now is answered.

    Args:
        free: agents free now for this campaign, reserved ones not counted.
        extra: calls of the same decision that are not in the state yet.
    """
    horizon = campaign.answers.mean_delay_seconds + PATIENCE_SECONDS
    shares = [_share_of(state, call, now) for call in _competing(state.calls.values())]
    shares += [campaign.answers.careful_share] * extra
    ends = [
        _frees_within(state, agent, horizon, now) for agent in state.agents.values() if _will_serve(agent, campaign)
    ]
    return Outlook(
        free=free,
        asking_mean=sum(shares),
        freeing_mean=sum(ends),
        variance=sum(p * (1 - p) for p in shares) + sum(q * (1 - q) for q in ends),
        share=campaign.answers.careful_share,
    )


def overdial(view: Outlook, risk: float, most: int) -> int:
    """Calls to dial now, at most `most`, so that the last one's risk stays at or below `risk`."""
    calls = 0
    while calls < most and view.risk(calls + 1) <= risk:
        calls += 1
    return calls


def one_per_agent(state: TeamState, free: int) -> int:
    """Progressive: one call that is not bridged per free agent; calls out without a reservation count against them."""
    unreserved = sum(1 for _ in _competing(state.calls.values()))
    return max(free - unreserved, 0)


def _competing(calls: Iterable[Call]) -> Iterable[Call]:
    """Calls that may yet ask for an agent who is not reserved for them."""
    return (call for call in calls if call.undecided and call.agent_id is None and not _known_machine(call))


def _known_machine(call: Call) -> bool:
    return call.decided and not call.needs_agent


def _share_of(state: TeamState, call: Call, now: datetime) -> float:
    if call.needs_agent:
        return 1.0
    answers = state.campaigns[call.offer.campaign_id].answers
    return answers.share_at_age((now - call.dialled_at).total_seconds())


def _will_serve(agent: Agent, campaign: Campaign) -> bool:
    return agent.busy and agent.leg_id is not None and agent.takes(campaign.campaign_id)


def _frees_within(state: TeamState, agent: Agent, seconds: float, now: datetime) -> float:
    """Probability that a busy agent is free again within `seconds`."""
    if agent.duty is Duty.TALKING and agent.duty_since is not None:
        elapsed = (now - agent.duty_since).total_seconds()
        return state.talk.ends_within(seconds - state.wrap.mean_seconds, elapsed)
    since = agent.ended_at or agent.said_at
    if since is None or agent.availability is AgentAvailability.OFFLINE:
        return 0.0
    return state.wrap.ends_within(seconds, (now - since).total_seconds())
