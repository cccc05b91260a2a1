"""Agents: one call at a time, only while they are there, only after they said so, only from the owner of their team."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from outdial_contracts.events import (
    AgentAvailability,
    AgentLeg,
    AgentState,
    CallDial,
    CallProgress,
    ProgressStage,
    TeamOwner,
)
from outdial_world.invariants.facts import Facts
from outdial_world.invariants.violation import Name, Violation

SIGNALLING = timedelta(seconds=0.2)
"""From the moment a phone hangs up until its gateway knows."""
UNCONFIRMED = timedelta(seconds=10)
OWNER_IS_KNOWN = timedelta(seconds=2)
"""team.owner takes its time to a gateway, and who asked the old owner just before may still be answered."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """An agent held by a call, by the gateway's word."""

    agent_id: str
    attempt_id: str
    lease_id: str
    epoch: int | None
    """Of the owner whose Assign gave the lease; None where the reply is not known."""
    assigned_at: datetime
    bridged_at: datetime | None
    until: datetime


def check(facts: Facts) -> Iterator[Violation]:
    """All of them."""
    by_agent: dict[str, list[Held]] = defaultdict(list)
    for held in _held(facts):
        by_agent[held.agent_id].append(held)
    for agent_id, calls in by_agent.items():
        calls.sort(key=lambda h: h.assigned_at)
        yield from _one_call(calls)
        yield from _present(facts, agent_id, calls)
        yield from _freed(facts, agent_id, calls)
        yield from _fenced(facts, agent_id, calls)
        yield from _given_by_owner(facts, calls)
    yield from _dialled_by_owner(facts)


def _held(facts: Facts) -> Iterator[Held]:
    stages: dict[tuple[str, str], dict[ProgressStage, CallProgress]] = defaultdict(dict)
    for record in facts.unique(CallProgress):
        event = record.event
        if isinstance(event, CallProgress) and event.agent_id:
            stages[event.attempt_id, event.agent_lease_id or ""][event.stage] = event
    given = [(attempt_id, min(seen[stage].at for stage in seen)) for (attempt_id, _), seen in stages.items()]
    epochs = _epochs(facts)
    for (attempt_id, lease_id), seen in stages.items():
        first = seen.get(ProgressStage.ASSIGNED) or seen[ProgressStage.BRIDGED]
        bridged = seen.get(ProgressStage.BRIDGED)
        yield Held(
            agent_id=first.agent_id or "",
            attempt_id=attempt_id,
            lease_id=lease_id,
            epoch=epochs.get((attempt_id, lease_id)),
            assigned_at=first.at,
            bridged_at=bridged.at if bridged else None,
            until=min([_until(facts, attempt_id, first.at), *_given_on(given, attempt_id, first.at)]),
        )


def _given_on(given: list[tuple[str, datetime]], attempt_id: str, since: datetime) -> list[datetime]:
    """When the call was given to another, since the agent it had went before anybody heard him."""
    return [at for of, at in given if of == attempt_id and at > since]


def _until(facts: Facts, attempt_id: str, since: datetime) -> datetime:
    """The end that the gateway told, or that the carrier saw, or the gateway's death."""
    ends = [end.ended_at for end in facts.ended.get(attempt_id, ())]
    for invite in facts.invites.get(attempt_id, ()):
        ends += [at for at in (invite.ended_at, invite.orphaned_at) if at is not None]
        died = facts.died_after(invite.gateway, since)
        ends += [died] if died is not None else []
    return min((at for at in ends if at >= since), default=facts.history.ended_at)


def _one_call(calls: list[Held]) -> Iterator[Violation]:
    for earlier, later in pairwise(calls):
        if later.assigned_at < earlier.until:
            detail = f"{later.agent_id} was given a second call while {earlier.attempt_id} went on"
            name = Name.ONE_CALL_PER_AGENT
            yield Violation(name=name, detail=detail, attempt_id=later.attempt_id, at=later.assigned_at)


def _present(facts: Facts, agent_id: str, calls: list[Held]) -> Iterator[Violation]:
    """By what the agent did: away from the moment of leaving, or of the phone's end, until the phone is up again."""
    away_since: datetime | None = None
    away: list[tuple[datetime, datetime]] = []
    for event in facts.history.people:
        if event.who.removeprefix("agent ") != agent_id:
            continue
        if event.what == "left" or event.what.startswith("phone down"):
            away_since = away_since or event.at
        elif event.what == "phone up" and away_since is not None:
            away.append((away_since, event.at))
            away_since = None
    if away_since is not None:
        away.append((away_since, facts.history.ended_at))
    for held in calls:
        for since, until in away:
            if since + SIGNALLING < held.assigned_at < until:
                detail = f"{agent_id} was given a call {(held.assigned_at - since).total_seconds():.1f} s after leaving"
                name = Name.ABSENT_AGENT_GETS_NO_CALL
                yield Violation(name=name, detail=detail, attempt_id=held.attempt_id, at=held.assigned_at)


def _freed(facts: Facts, agent_id: str, calls: list[Held]) -> Iterator[Violation]:
    """Between two calls his console said that he saw the first, or is available long after it, or has left."""
    words = [
        (record.at, record.event)
        for record in facts.unique(AgentState)
        if isinstance(record.event, AgentState) and record.event.agent_id == agent_id
    ]
    for earlier, later in pairwise(calls):
        ended = [end.ended_at for end in facts.ended.get(earlier.attempt_id, ())]
        if not ended:
            continue
        said = [word for at, word in words if earlier.assigned_at <= at <= later.assigned_at]
        standing = [word for at, word in words if at < earlier.assigned_at][-1:]
        silent = _fell_silent([*standing, *said], ended[0])
        if not silent and not any(_frees(word, earlier.lease_id, ended[0]) for word in said):
            detail = f"{agent_id} was given a call before he said that he was free of {earlier.attempt_id}"
            name = Name.AGENT_FREED_BY_HIS_WORD
            yield Violation(name=name, detail=detail, attempt_id=later.attempt_id, at=later.assigned_at)


def _frees(word: AgentState, lease_id: str, ended_at: datetime) -> bool:
    if word.availability is AgentAvailability.OFFLINE:
        return True
    available = word.availability is AgentAvailability.AVAILABLE
    return available and (word.last_assignment_seen == lease_id or word.at > ended_at + UNCONFIRMED)


def _fell_silent(said: list[AgentState], ended_at: datetime) -> bool:
    """A word that is past its time says nothing: he was offline, and what he says after the call is a new word."""
    lapsed = any(later.at > earlier.valid_until for earlier, later in pairwise(said))
    return lapsed and any(w.availability is AgentAvailability.AVAILABLE and w.at > ended_at for w in said)


def _fenced(facts: Facts, agent_id: str, calls: list[Held]) -> Iterator[Violation]:
    """A leg that one owner claimed is not given to a call by an older one."""
    legs = _first_times(facts, agent_id)
    for earlier, later in pairwise(calls):
        fresh_leg = any(earlier.assigned_at < at <= later.assigned_at for at in legs)
        before, now = earlier.epoch, later.epoch
        if before is not None and now is not None and now < before and not fresh_leg:
            detail = f"{agent_id} was given a call by epoch {now} after one by epoch {before}"
            name = Name.STALE_OWNER_ASSIGNS_NOTHING
            yield Violation(name=name, detail=detail, attempt_id=later.attempt_id, at=later.assigned_at)


def _given_by_owner(facts: Facts, calls: list[Held]) -> Iterator[Violation]:
    """Nobody is given a call by an owner whom a newer one replaced long before."""
    owners = [(r.at, r.event.epoch) for r in facts.unique(TeamOwner) if isinstance(r.event, TeamOwner)]
    for held in calls:
        newer = [at for at, epoch in owners if held.epoch is not None and epoch > held.epoch]
        replaced_at = min(newer, default=held.assigned_at)
        late = replaced_at + OWNER_IS_KNOWN < held.assigned_at
        if late and not facts.stalled("media-gateway", replaced_at, held.assigned_at):
            detail = f"{held.agent_id} was given a call by epoch {held.epoch}, long replaced"
            name = Name.STALE_OWNER_ASSIGNS_NOTHING
            yield Violation(name=name, detail=detail, attempt_id=held.attempt_id, at=held.assigned_at)


def _first_times(facts: Facts, agent_id: str) -> list[datetime]:
    """When each leg of the agent was first said to be up."""
    first: dict[str, datetime] = {}
    for event in facts.history.events(AgentLeg):
        if event.agent_id == agent_id and event.up:
            first.setdefault(event.leg_id, event.at)
    return list(first.values())


def _dialled_by_owner(facts: Facts) -> Iterator[Violation]:
    """Nothing is dialled for an owner whom a newer one replaced long before."""
    owners = [(r.at, r.event) for r in facts.unique(TeamOwner) if isinstance(r.event, TeamOwner)]
    dials = {r.event.attempt_id: r.event for r in facts.unique(CallDial) if isinstance(r.event, CallDial)}
    for invite in facts.history.invites:
        dial = dials.get(invite.attempt_id)
        if dial is None:
            continue
        for at, owner in owners:
            replaced = owner.team_id == dial.team_id and owner.epoch > dial.owner_epoch
            if replaced and at + OWNER_IS_KNOWN < invite.at and not facts.stalled("media-gateway", at, invite.at):
                detail = f"dialled for epoch {dial.owner_epoch} after epoch {owner.epoch} had taken over"
                name = Name.STALE_OWNER_ASSIGNS_NOTHING
                yield Violation(name=name, detail=detail, attempt_id=invite.attempt_id, at=invite.at)
                break


def _epochs(facts: Facts) -> dict[tuple[str, str], int]:
    """(attempt_id, lease_id) -> epoch of the owner that last gave it."""
    found: dict[tuple[str, str], int] = {}
    for rpc in facts.history.rpcs:
        if rpc.method != "AgentRouter.Assign" or rpc.reply is None or rpc.received_at is None:
            continue
        if rpc.reply.WhichOneof("result") == "assigned":
            found[rpc.request.attempt_id, rpc.reply.assigned.lease_id] = rpc.reply.assigned.epoch
    return found
