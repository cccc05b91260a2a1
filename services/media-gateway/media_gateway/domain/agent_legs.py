"""Agents' nailed-up legs. The leg is the lock: it is given to one attempt by compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class AgentLeg:
    """One agent's open leg on this gateway."""

    leg_id: str
    team_id: str
    agent_id: str
    attempt_id: str | None = None
    """Attempt that holds it."""
    epoch: int = 0
    """Newest owner epoch that claimed it; an older one is refused."""


@dataclass
class AgentLegs:
    """All legs that are up here."""

    by_id: dict[str, AgentLeg] = field(default_factory=dict)

    def up(self, leg: AgentLeg) -> AgentLeg | None:
        """A leg came up; returns the same agent's older leg, which must be hung up."""
        older = next((o for o in self.by_id.values() if (o.team_id, o.agent_id) == (leg.team_id, leg.agent_id)), None)
        if older is not None:
            del self.by_id[older.leg_id]
        self.by_id[leg.leg_id] = leg
        return older

    def down(self, leg_id: str) -> AgentLeg | None:
        """A leg went down; returns it with the attempt it held."""
        return self.by_id.pop(leg_id, None)

    def claim(self, leg_id: str, attempt_id: str, epoch: int) -> str | None:
        """Gives the leg to the attempt; returns why not: leg_down, stale_epoch or held. A repeat succeeds again."""
        leg = self.by_id.get(leg_id)
        if leg is None:
            return "leg_down"
        if epoch < leg.epoch:
            return "stale_epoch"
        if leg.attempt_id not in (None, attempt_id):
            return "held"
        leg.attempt_id, leg.epoch = attempt_id, epoch
        return None

    def release(self, leg_id: str, attempt_id: str) -> None:
        """Frees the leg if this attempt holds it; anything else changes nothing."""
        leg = self.by_id.get(leg_id)
        if leg is not None and leg.attempt_id == attempt_id:
            leg.attempt_id = None
