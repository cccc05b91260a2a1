"""Which partitions this process owns, the teams in them, and what all teams must know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from outdial_contracts.events import AbandonBudget, CampaignPublished, GatewayCapacity, StopChanged
from pacer.domain.inputs import WorldEvent
from pacer.domain.state import TeamState
from pacer.domain.step import Source


@dataclass(kw_only=True)
class Partition:
    """One owned partition of the topics keyed by team."""

    number: int
    epoch: int
    """Offset of our took_over record."""
    teams: dict[str, TeamState] = field(default_factory=dict)
    records: int = 0
    """Journal records since the last set of snapshots."""


@dataclass(kw_only=True)
class Ownership:
    """All owned partitions."""

    partitions: dict[int, Partition] = field(default_factory=dict)
    replaying: set[int] = field(default_factory=set)
    """Partitions whose state is being rebuilt."""

    def find(self, team_id: str) -> tuple[Partition, TeamState] | None:
        """The team and its partition, if it is ours."""
        for partition in self.partitions.values():
            if team_id in partition.teams:
                return partition, partition.teams[team_id]
        return None

    def teams(self) -> Iterator[tuple[Partition, TeamState]]:
        """Every team that is ours."""
        for partition in self.partitions.values():
            for state in partition.teams.values():
                yield partition, state


@dataclass(frozen=True, kw_only=True)
class Known:
    """An event of a topic that is read whole, as it was read."""

    event: WorldEvent
    source: Source
    raw: bytes


@dataclass(kw_only=True)
class Catalogue:
    """The newest of campaigns, stop buttons, gateways and drop budgets, for teams that are met later."""

    campaigns: dict[str, Known] = field(default_factory=dict)
    """By campaign: its newest document."""
    states: dict[str, Known] = field(default_factory=dict)
    stops: dict[str, Known] = field(default_factory=dict)
    gateways: dict[str, Known] = field(default_factory=dict)
    budgets: dict[str, Known] = field(default_factory=dict)
    """By legal campaign."""

    def note(self, known: Known) -> None:
        """Takes over one event; an older document changes nothing."""
        match known.event:
            case CampaignPublished(document=None) as event:
                self.states[event.campaign_id] = known
            case CampaignPublished() as event:
                older = self.campaigns.get(event.campaign_id)
                if older is None or _version(older) < event.version:
                    self.campaigns[event.campaign_id] = known
            case StopChanged() as event:
                self.stops[event.scope] = known
            case GatewayCapacity() as event:
                self.gateways[event.gateway_id] = known
            case AbandonBudget() as event:
                self.budgets[event.legal_campaign] = known

    def for_team(self, team_id: str) -> list[Known]:
        """What a team must know, in the order of each topic's offsets."""
        campaigns = [k for k in [*self.campaigns.values(), *self.states.values()] if _team(k) == team_id]
        known = [*campaigns, *self.stops.values(), *self.gateways.values(), *self.budgets.values()]
        return sorted(known, key=lambda k: (k.source.topic, k.source.partition, k.source.offset))

    def team_of(self, campaign_id: str) -> str | None:
        """The team that a published campaign belongs to."""
        known = self.campaigns.get(campaign_id)
        return None if known is None else _team(known)

    def knows_team(self, team_id: str) -> bool:
        """Whether any campaign names the team."""
        return any(_team(known) == team_id for known in self.campaigns.values())


def _team(known: Known) -> str | None:
    return known.event.team_id if isinstance(known.event, CampaignPublished) else None


def _version(known: Known) -> int:
    return known.event.version if isinstance(known.event, CampaignPublished) else 0
