"""An input, from whatever source, into its team: fold, journal, decide, and what leaves after the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from outdial_runtime.outcome import NOTHING, Emit, Outcome, Publish
from pacer.domain.inputs import AgentGiven, Input, Tick
from pacer.domain.ownership import Known, Partition
from pacer.domain.snapshot import OwnInput
from pacer.domain.state import TeamState
from pacer.domain.step import Source, Step, step, take, was_seen
from pacer.handlers.outputs import outputs, team_owner
from pacer.handlers.records import decision_record, emit, input_record, own_record
from pacer.ports import Deps


@dataclass(kw_only=True)
class Taken:
    """What inputs led to: journal records first, the rest once those are acknowledged."""

    journal: list[Emit] = field(default_factory=list)
    then: list[Emit] = field(default_factory=list)

    def outcome(self) -> Outcome:
        """As a handler returns it."""
        return Publish(events=self.journal, then=self.then) if self.journal or self.then else NOTHING


def take_event(
    deps: Deps, partition: Partition, state: TeamState, known: Known | TeamInput, now: datetime, taken: Taken
) -> None:
    """Takes an event that was read; one that is in the state already changes nothing."""
    if was_seen(state, known.source):
        return
    done = step(state, known.event, known.source, now)
    if done.changed:
        _journal(partition, taken, emit(input_record(deps, state, known.source, known.raw, done.at)))
    _decided(deps, partition, state, done, taken)


def take_tick(deps: Deps, partition: Partition, state: TeamState, now: datetime, taken: Taken) -> None:
    """A tick is journalled only where it ended something; a decision always is."""
    done = step(state, Tick(), None, now)
    if done.changed:
        _journal(partition, taken, emit(own_record(deps, state, OwnInput(tick=Tick()), done.at)))
    _decided(deps, partition, state, done, taken)


def take_given(
    deps: Deps, partition: Partition, state: TeamState, given: AgentGiven, now: datetime, taken: Taken
) -> None:
    """An agent given is journalled before the gateway hears of it."""
    at = state.next_at(now)
    if take(state, given, None, at):
        _journal(partition, taken, emit(own_record(deps, state, OwnInput(given=given), at)))


def meet_team(deps: Deps, partition: Partition, team_id: str, now: datetime, taken: Taken) -> TeamState:
    """A team seen for the first time in a partition of ours: it is told what every team must know."""
    state = TeamState(team_id=team_id, epoch=partition.epoch)
    partition.teams[team_id] = state
    for known in deps.catalogue.for_team(team_id):
        take_event(deps, partition, state, known, now, taken)
    taken.then.append(team_owner(deps, state, now))
    return state


@dataclass(frozen=True, kw_only=True)
class TeamInput:
    """An event keyed by team, as it was read."""

    event: Input
    source: Source
    raw: bytes


def _decided(deps: Deps, partition: Partition, state: TeamState, done: Step, taken: Taken) -> None:
    if done.decision is not None and done.decided_at is not None:
        _journal(partition, taken, emit(decision_record(deps, state, done.decision, done.decided_at)))
        taken.then += outputs(deps, state, done)


def _journal(partition: Partition, taken: Taken, record: Emit) -> None:
    partition.records += 1
    taken.journal.append(record)
