"""One input taken: folded, journalled if it changed anything, and followed by a decision where one may be due.

The handlers and the tests' world take inputs by this function, recovery by its halves, so all of them agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from outdial_contracts.events import (
    AgentLeg,
    AgentState,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    CloseOutcome,
    ComplianceCleared,
    DialRefused,
    ProgressStage,
)
from pacer.domain.decide import decide
from pacer.domain.fold import fold
from pacer.domain.inputs import Decision, Input, Tick
from pacer.domain.state import Offer, TeamState

DECIDED_UPON = (
    Tick,
    ComplianceCleared,
    DialRefused,
    CallEnded,
    AgentState,
    AgentLeg,
)
"""Inputs after which something may be done at once; the rest waits for the next tick.

All of them are handled by the loop of the topics keyed by team, whose journal records leave in the order of folding: a
decision never reaches the journal before the inputs it rests on.
"""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where an input was read."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """What taking an input led to."""

    at: datetime
    """`now` of its fold."""
    changed: bool
    decision: Decision | None = None
    """A decision that does something; it is folded already."""
    decided_at: datetime | None = None
    offers: Mapping[str, Offer] | None = None
    """The offers that the decision speaks of."""


def step(state: TeamState, item: Input, source: Source | None, now: datetime) -> Step:
    """Takes one input; the state is changed in place."""
    at = state.next_at(now)
    changed = take(state, item, source, at)
    if not (changed or isinstance(item, Tick)) or not _may_act(item):
        return Step(at=at, changed=changed)
    decided_at = state.next_at(now)
    decision = decide(state, decided_at)
    if not decision.acts:
        return Step(at=at, changed=changed)
    named = {*decision.returned, *(dial.attempt_id for dial in decision.dials)}
    offers = {a: o for a, o in {**state.unwanted, **state.offers}.items() if a in named}
    fold(state, decision, decided_at)
    return Step(at=at, changed=changed, decision=decision, decided_at=decided_at, offers=offers)


def take(state: TeamState, item: Input, source: Source | None, at: datetime) -> bool:
    """Folds one input at its instant and remembers its offset; returns whether it changed the state."""
    before = state.revision
    fold(state, item, at)
    if state.revision == before:
        return False
    if source is not None:
        state.seen[f"{source.topic}:{source.partition}"] = source.offset
    return True


def was_seen(state: TeamState, source: Source) -> bool:
    """Whether the input, or a later one of its partition, is in the state already: a redelivery."""
    return state.seen.get(f"{source.topic}:{source.partition}", -1) >= source.offset


def _may_act(item: Input) -> bool:
    if isinstance(item, CallProgress):
        return item.stage is ProgressStage.VERDICT
    if isinstance(item, ClearanceClosed):
        return item.outcome is not CloseOutcome.REDEEMED
    return isinstance(item, DECIDED_UPON)
