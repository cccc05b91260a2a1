"""Inputs of the fold that are no events of the contract: a tick, an agent given by Assign, and the pacer's decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from outdial_contracts.events import (
    AbandonBudget,
    AgentLeg,
    AgentState,
    CallAnswered,
    CallEnded,
    CallProgress,
    CampaignPublished,
    ClearanceClosed,
    ComplianceBlocked,
    ComplianceCleared,
    DialMode,
    DialRefused,
    GatewayCapacity,
    PacingSupply,
    StopChanged,
)
from pacer.domain.bindings import Binding


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Time went by."""


@dataclass(frozen=True, kw_only=True)
class AgentGiven:
    """Assign answered with this agent; folded as it was answered, so that a new owner gives nobody else."""

    attempt_id: str
    campaign_id: str
    agent_id: str
    lease_id: str
    lease_until: datetime


@dataclass(frozen=True, kw_only=True)
class Dial:
    """One offer to be dialled."""

    attempt_id: str
    campaign_id: str
    gateway_id: str
    gateway_partition: int
    caller_id: str
    lease_id: str
    dial_mode: DialMode
    expires_at: datetime
    lease_until: datetime
    agent_id: str | None = None
    agent_lease_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Want:
    """A campaign's demand is raised to this total."""

    campaign_id: str
    wanted_total: int


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a campaign was paced as it was."""

    binding: Binding
    mode: DialMode
    """Mode in force, after degrading."""
    degraded: Binding | None = None
    """Why predictive was not."""
    wanted_calls: int = 0
    """Calls that the policy allowed now, whatever was at hand to place them."""
    risk: float = 0.0
    """Probability that the last of them would find no agent."""
    share: float = 0.0
    """Expected share of calls that need an agent."""
    free_agents: int = 0
    freeing_agents: float = 0.0
    """Expected to become free before the next call's verdict."""
    undecided_calls: int = 0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is done now."""

    dials: tuple[Dial, ...] = ()
    wants: tuple[Want, ...] = ()
    returned: tuple[str, ...] = ()
    """Attempt ids of offers given back."""
    reasons: dict[str, Reason] = field(default_factory=dict)
    """By campaign."""

    @property
    def acts(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.dials or self.wants or self.returned)


TeamEvent = (
    ComplianceCleared
    | ComplianceBlocked
    | ClearanceClosed
    | DialRefused
    | CallProgress
    | CallAnswered
    | CallEnded
    | AgentState
    | AgentLeg
    | PacingSupply
)
"""Events keyed by team."""
WorldEvent = CampaignPublished | StopChanged | GatewayCapacity | AbandonBudget
"""Events of topics that every replica reads whole."""
Input = TeamEvent | WorldEvent | Tick | AgentGiven | Decision
