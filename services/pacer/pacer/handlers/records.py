"""pacing.journal records: what was folded and decided, in the words of the contract."""

from __future__ import annotations

from datetime import datetime

from outdial_contracts.events import JournalKind, PacingJournal
from outdial_runtime.outcome import Emit
from pacer.domain.inputs import Decision
from pacer.domain.ownership import Partition
from pacer.domain.recovery import WHOLE_PARTITION
from pacer.domain.snapshot import OwnInput, Snapshot, encode
from pacer.domain.state import FOLD_VERSION, TeamState
from pacer.domain.step import Source
from pacer.ports import Deps


def took_over(deps: Deps, at: datetime) -> PacingJournal:
    """The record whose offset becomes the epoch of the partition's teams."""
    return _record(deps, WHOLE_PARTITION, JournalKind.TOOK_OVER, 0, b"", at)


def input_record(deps: Deps, state: TeamState, source: Source, raw: bytes, at: datetime) -> PacingJournal:
    """An input that changed the state, as its bytes were consumed."""
    return PacingJournal(
        team_id=state.team_id,
        kind=JournalKind.INPUT,
        epoch=state.epoch,
        fold_version=FOLD_VERSION,
        owner_id=deps.owner_id,
        payload=raw,
        at=at,
        input_topic=source.topic,
        input_partition=source.partition,
        input_offset=source.offset,
    )


def own_record(deps: Deps, state: TeamState, own: OwnInput, at: datetime) -> PacingJournal:
    """A tick that ended something, or an agent given."""
    return _record(deps, state.team_id, JournalKind.INPUT, state.epoch, encode(own), at)


def decision_record(deps: Deps, state: TeamState, decision: Decision, at: datetime) -> PacingJournal:
    """A decision, acknowledged before anything is done about it."""
    return _record(deps, state.team_id, JournalKind.DECISION, state.epoch, encode(decision), at)


def snapshot_records(deps: Deps, partition: Partition, now: datetime) -> list[PacingJournal]:
    """A set of snapshots of every team of the partition."""
    teams = tuple(sorted(partition.teams))
    records = []
    for team_id in teams:
        state = partition.teams[team_id]
        payload = encode(Snapshot(teams=teams, state=state))
        at = state.last_at or now
        records.append(_record(deps, team_id, JournalKind.SNAPSHOT, partition.epoch, payload, at))
    return records


def emit(record: PacingJournal) -> Emit:
    """The record under an identity of its own: a team folds once per instant."""
    cause = f"journal:{record.team_id}:{record.epoch}:{record.kind}:{record.at.isoformat()}"
    return Emit(event=record, cause=cause)


def _record(deps: Deps, team_id: str, kind: JournalKind, epoch: int, payload: bytes, at: datetime) -> PacingJournal:
    return PacingJournal(
        team_id=team_id,
        kind=kind,
        epoch=epoch,
        fold_version=FOLD_VERSION,
        owner_id=deps.owner_id,
        payload=payload,
        at=at,
    )
