"""Partitions assigned and revoked: took_over, recovery from the journal, team.owner."""

from __future__ import annotations

from datetime import datetime

from outdial_contracts.events import PacingJournal
from pacer.domain.ownership import Partition
from pacer.domain.recovery import Entry, recover, suffices
from pacer.domain.state import TeamState
from pacer.domain.step import take, was_seen
from pacer.handlers.outputs import team_owner
from pacer.handlers.records import input_record, took_over
from pacer.ports import Deps


class TeamPartitions:
    """outdial_runtime.service.PartitionHooks: teams live with the partitions of the topics keyed by team."""

    async def on_assigned(self, partitions: frozenset[int], deps: Deps) -> None:
        """Takes over: every record of an earlier owner from here on is void."""
        deps.owned.replaying |= partitions
        for number in sorted(partitions):
            deps.owned.partitions[number] = await _take_over(number, deps)
            deps.owned.replaying.discard(number)

    async def on_revoked(self, partitions: frozenset[int], deps: Deps) -> None:
        """Forgets the teams; whoever owns them now reads the journal."""
        for number in partitions:
            deps.owned.partitions.pop(number, None)
            deps.owned.replaying.discard(number)


async def _take_over(number: int, deps: Deps) -> Partition:
    now = deps.clock.now()
    [epoch] = await deps.journal.append([took_over(deps, now)], number)
    teams = recover(await _read_back(number, epoch, deps), epoch)
    partition = Partition(number=number, epoch=epoch, teams=teams, records=deps.snapshot_every_records)
    missed = [record for state in teams.values() for record in _catch_up(state, now, deps)]
    if missed:
        await deps.journal.append(missed, number)
    deps.outbox.emit(*(team_owner(deps, state, now) for state in teams.values()))
    return partition


async def _read_back(number: int, epoch: int, deps: Deps) -> list[Entry]:
    """The journal's end that is enough to recover from: read in growing steps, from the start at worst."""
    length = 4 * deps.snapshot_every_records
    while True:
        start = max(epoch - length, 0)
        read = await deps.journal.read(PacingJournal, number, start)
        entries = [Entry(offset=message.offset, record=message.event) for message in read if message.offset <= epoch]
        if start == 0 or suffices(entries):
            return entries
        length *= 4


def _catch_up(state: TeamState, now: datetime, deps: Deps) -> list[PacingJournal]:
    """What every team must know and this one was not told while nobody owned it."""
    records = []
    for known in deps.catalogue.for_team(state.team_id):
        if not was_seen(state, known.source):
            at = state.next_at(now)
            if take(state, known.event, known.source, at):
                records.append(input_record(deps, state, known.source, known.raw, at))
    return records
