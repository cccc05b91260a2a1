"""State of one team: all that its decisions depend on. It is changed by `fold` only and is snapshot as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from outdial_contracts.events import CampaignDocument, CampaignState, Context, SupplyReason
from pacer.domain.agents import Agent
from pacer.domain.estimates import Answers, Duration

FOLD_VERSION = 2
"""Raised when the same inputs would give another state; snapshots of another version are not used."""
GATEWAY_SILENT_SECONDS = 6.0
"""A gateway that has not spoken for so long is not used."""
STATE_PER_EVENT = timedelta(microseconds=1)


class CallStage(IntEnum):
    """How far a call came. Events of different topics overtake each other, so a stage never goes back."""

    DIALLED = 0
    REDEEMED = 1
    INVITED = 2
    ALERTING = 3
    ANSWERED = 4
    ASSIGNED = 5
    BRIDGED = 6


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A cleared offer that waits to be dialled; `token` is its clearance."""

    attempt_id: str
    campaign_id: str
    campaign_version: int
    context: Context
    person_token: str
    callee_token: str
    destination_prefix: str
    agent_guaranteed: bool
    autodial_allowed: bool
    score: float
    token: str
    cleared_at: datetime
    expires_at: datetime
    caller_id_prefixes: tuple[str, ...] = ()
    """The number shown begins with one of these, E.164; empty: any of the pool."""


@dataclass(kw_only=True)
class Call:
    """A call that was decided: its channel lease, its number, and the agent reserved for it beforehand."""

    offer: Offer
    lease_id: str
    gateway_id: str
    boot_id: str
    caller_id: str
    dialled_at: datetime
    lease_until: datetime
    stage: CallStage = CallStage.DIALLED
    agent_id: str | None = None
    """Agent who is reserved for it or has it."""
    decided: bool = False
    """What answered, or that nobody did, was counted."""
    needs_agent: bool = False
    """A person (or what may be one) answered."""
    human: bool = False
    """Counted among the humans answered."""

    @property
    def undecided(self) -> bool:
        """It may still need an agent."""
        return self.stage < CallStage.ASSIGNED


@dataclass(kw_only=True)
class Gateway:
    """A media gateway's last word."""

    gateway_id: str
    boot_id: str
    partition: int
    free_channels: int
    draining: bool
    heard_at: datetime | None
    """None after a takeover until it speaks again: silence while nobody listened says nothing."""
    live_attempt_ids: frozenset[str] = frozenset()
    full_until: datetime | None = None
    """It refused for capacity or call rate; not asked again before."""


@dataclass(kw_only=True)
class Budget:
    """Drop budget of a legal campaign (seller and offer), this team's part."""

    humans: int = 0
    abandoned: int = 0

    def left(self, limit: float) -> float:
        """Calls that may still be abandoned: limit x (humans answered + 100) - spent."""
        return limit * (self.humans + 100) - self.abandoned


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """The gate's word on a legal campaign's drop budget: this team's part, and what of the team is counted in it."""

    at: datetime
    limit: float
    calls: float = 0.0
    """Calls that the team may still drop."""
    humans: int = 0
    abandoned: int = 0
    unknown_humans: int = 0
    """Counted by the gate before its first word came and unknown to the journal, whose beginning may be gone."""
    unknown_abandoned: int = 0

    def left(self, own: Budget, limit: float) -> float:
        """The part, and what the team saw since: it earns by people who answered and pays by those abandoned.

        A gate that is ahead of this team's own topics has it in the part already.
        """
        humans = max(own.humans + self.unknown_humans - self.humans, 0)
        abandoned = max(own.abandoned + self.unknown_abandoned - self.abandoned, 0)
        return self.calls + min(limit, self.limit) * humans - abandoned


@dataclass(kw_only=True)
class Supply:
    """Demand of an epoch and what came of it."""

    wanted_total: int = 0
    cleared_total: int = 0
    asked_at: datetime | None = None
    sent_total: int = 0
    reason: SupplyReason = SupplyReason.UNKNOWN
    supplied_at: datetime | None = None
    next_due_at: datetime | None = None
    cleared_at: datetime | None = None
    blocked_at: datetime | None = None
    blocks: dict[str, int] = field(default_factory=dict)
    """Reason -> blocks since the last clearance."""

    @property
    def outstanding(self) -> int:
        """Offers asked for and not yet cleared."""
        return max(self.wanted_total - self.cleared_total, 0)


@dataclass(kw_only=True)
class Campaign:
    """A campaign of the team."""

    campaign_id: str
    state: CampaignState = CampaignState.UNKNOWN
    version: int = 0
    """Newest version seen; its document paces."""
    document: CampaignDocument | None = None
    supply: Supply = field(default_factory=Supply)
    answers: Answers = field(default_factory=Answers)
    refusals: dict[str, int] = field(default_factory=dict)
    """Reason -> call.dial refused by gateways."""
    numbers_used_at: dict[str, datetime] = field(default_factory=dict)
    """Caller ID -> last dialled."""

    @property
    def legal_campaign(self) -> str:
        """Seller and offer."""
        return f"{self.document.seller_id}/{self.document.topic_id}" if self.document else self.campaign_id


@dataclass(kw_only=True)
class Figures:
    """Time-weighted sums since the first agent came on duty."""

    at: datetime | None = None
    line_seconds: float = 0.0
    duty_seconds: float = 0.0
    busy_seconds: float = 0.0


@dataclass(kw_only=True)
class Done:
    """An attempt that is over as far as we know, and what the drop budget already counts of it."""

    at: datetime
    human: bool = False
    abandoned: bool = False


@dataclass(kw_only=True)
class TeamState:
    """All of a team."""

    team_id: str
    epoch: int = -1
    """Offset of its owner's took_over record; -1 before the first."""
    last_at: datetime | None = None
    """`now` of the last fold; strictly growing, it orders the journal."""
    revision: int = 0
    """Folds that changed something."""
    next_lease: int = 1
    seen: dict[str, int] = field(default_factory=dict)
    """topic:partition -> offset of the last input that changed the state."""
    agents: dict[str, Agent] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    unwanted: dict[str, Offer] = field(default_factory=dict)
    """Offers to be given back by the next decision."""
    calls: dict[str, Call] = field(default_factory=dict)
    done: dict[str, Done] = field(default_factory=dict)
    """Attempts that ended lately, so that an event overtaken by their end changes nothing."""
    gateways: dict[str, Gateway] = field(default_factory=dict)
    stops: dict[str, str] = field(default_factory=dict)
    """Scope -> reason of a pressed stop button."""
    budgets: dict[str, Budget] = field(default_factory=dict)
    """Legal campaign -> what this team saw itself."""
    allotments: dict[str, Allotment] = field(default_factory=dict)
    """Legal campaign -> what the gate allots; without it the team's own count is all there is."""
    talk: Duration = field(default_factory=lambda: Duration(prior_seconds=30.0))
    wrap: Duration = field(default_factory=lambda: Duration(prior_seconds=8.0))
    figures: Figures = field(default_factory=Figures)

    def next_at(self, now: datetime) -> datetime:
        """`now`, or just after the last fold when the clock stands or ran back: one instant per fold."""
        return now if self.last_at is None or now > self.last_at else self.last_at + STATE_PER_EVENT

    def begin_epoch(self, epoch: int) -> None:
        """A new owner: demand totals begin anew (they are cumulative per epoch), gateways must speak again."""
        self.epoch = epoch
        for campaign in self.campaigns.values():
            campaign.supply.wanted_total = campaign.supply.cleared_total = campaign.supply.sent_total = 0
            campaign.supply.asked_at = campaign.supply.supplied_at = None
        for gateway in self.gateways.values():
            gateway.heard_at = None

    def budget(self, campaign: Campaign) -> Budget:
        """The campaign's budget, shared by all campaigns of the same seller and offer."""
        return self.budgets.setdefault(campaign.legal_campaign, Budget())

    def on_duty(self) -> int:
        """Agents signed in and not paused."""
        return sum(agent.on_duty for agent in self.agents.values())

    def fresh_gateways(self, now: datetime) -> list[Gateway]:
        """Gateways heard lately that take calls."""
        since = now - timedelta(seconds=GATEWAY_SILENT_SECONDS)
        return [g for g in self.gateways.values() if g.heard_at is not None and g.heard_at >= since and not g.draining]

    def free_channels(self, gateway: Gateway) -> int:
        """Channels it said were free, less those leased since."""
        leased = sum(
            call.gateway_id == gateway.gateway_id and attempt_id not in gateway.live_attempt_ids
            for attempt_id, call in self.calls.items()
        )
        return gateway.free_channels - leased

    def stopped_by(self, campaign: Campaign, region: str | None = None) -> str | None:
        """The stop button that holds the campaign (or a lead of that region), if any."""
        scopes = ["all"]
        if campaign.document is not None:
            scopes += [f"seller:{campaign.document.seller_id}", f"route:{campaign.document.route_id}"]
        if region is not None:
            scopes.append(f"state:{region}")
        return next((scope for scope in scopes if scope in self.stops), None)

    def count(self) -> tuple[int, int, int]:
        """Live calls, agents not paused, agents talking or wrapping up."""
        agents = self.agents.values()
        return len(self.calls), sum(a.on_duty for a in agents), sum(a.busy and a.on_duty for a in agents)
