"""From journal records back to the state of every team of a partition, and the proof that a replay decides the same.

A record is void if it carries a lower epoch than one before it: its writer had lost the partition and did not know.
Fold order is the order of `at` (every fold has its own instant), not of offsets: a tick, a request and a consumed batch
of one owner may reach the log in another order than they were folded in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outdial_contracts.codec import decode
from outdial_contracts.events import JournalKind, PacingJournal
from pacer.domain.decide import decide
from pacer.domain.fold import fold
from pacer.domain.inputs import Input
from pacer.domain.snapshot import Snapshot, decode_decision, decode_own_input, decode_snapshot, encode
from pacer.domain.state import FOLD_VERSION, TeamState
from pacer.domain.step import Source, take

WHOLE_PARTITION = "*"
"""team_id of a took_over record: it holds for every team of its partition."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A journal record and its offset in the partition."""

    offset: int
    record: PacingJournal


@dataclass(frozen=True, kw_only=True)
class Redecided:
    """A decision as it was journalled and as the same inputs decide it now, canonical JSON."""

    recorded: bytes
    replayed: bytes


def recover(entries: Sequence[Entry], epoch: int) -> dict[str, TeamState]:
    """States of the partition's teams, ready for the owner whose took_over record has the offset `epoch`."""
    states = {}
    for team_id, records in _by_team(valid(entries)).items():
        state = _start(team_id, records)
        for record in records:
            if state.last_at is None or record.at > state.last_at:
                _apply(state, record)
        state.begin_epoch(epoch)
        states[team_id] = state
    return states


def replay(team_id: str, entries: Sequence[Entry]) -> Iterator[Redecided]:
    """Every decision of a team's valid records, decided anew from the inputs before it."""
    records = _by_team(valid(entries)).get(team_id, [])
    state = _start(team_id, records)
    for record in records:
        if state.last_at is not None and record.at <= state.last_at:
            continue
        if record.kind is JournalKind.DECISION:
            _enter(state, record)
            yield Redecided(recorded=record.payload, replayed=encode(decide(state, record.at)))
        _apply(state, record)


def valid(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without void ones, in the order of offsets."""
    newest, kept = -1, []
    for entry in sorted(entries, key=lambda e: e.offset):
        epoch = entry.offset if entry.record.kind is JournalKind.TOOK_OVER else entry.record.epoch
        if epoch >= newest:
            newest = epoch
            kept.append(entry)
    return kept


def suffices(entries: Sequence[Entry]) -> bool:
    """Whether the end of a journal is enough to recover from: it holds a whole set of usable snapshots."""
    found: dict[str, Snapshot] = {}
    for entry in valid(entries):
        record = entry.record
        if record.kind is JournalKind.SNAPSHOT and record.fold_version == FOLD_VERSION:
            found[record.team_id] = decode_snapshot(record.payload)
    return any(set(snapshot.teams) <= found.keys() for snapshot in found.values())


def _by_team(entries: Sequence[Entry]) -> dict[str, list[PacingJournal]]:
    teams: dict[str, list[PacingJournal]] = defaultdict(list)
    for entry in entries:
        if entry.record.kind is not JournalKind.TOOK_OVER:
            teams[entry.record.team_id].append(entry.record)
    return {team: sorted(records, key=lambda r: r.at) for team, records in teams.items()}


def _start(team_id: str, records: Sequence[PacingJournal]) -> TeamState:
    for record in reversed(records):
        if record.kind is JournalKind.SNAPSHOT and record.fold_version == FOLD_VERSION:
            return decode_snapshot(record.payload).state
    return TeamState(team_id=team_id)


def _apply(state: TeamState, record: PacingJournal) -> None:
    _enter(state, record)
    if record.kind is JournalKind.DECISION:
        fold(state, decode_decision(record.payload), record.at)
    elif record.kind is JournalKind.INPUT:
        take(state, input_of(record), _source(record), record.at)


def _enter(state: TeamState, record: PacingJournal) -> None:
    if record.epoch > state.epoch:
        state.begin_epoch(record.epoch)


def input_of(record: PacingJournal) -> Input:
    """The input that an INPUT record holds."""
    if record.input_topic is None:
        return decode_own_input(record.payload)
    event: Input = decode(record.payload, record.input_topic)  # type: ignore[assignment]
    return event


def _source(record: PacingJournal) -> Source | None:
    if record.input_topic is None or record.input_partition is None or record.input_offset is None:
        return None
    return Source(topic=record.input_topic, partition=record.input_partition, offset=record.input_offset)
