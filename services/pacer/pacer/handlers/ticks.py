"""The pacing tick, per owned partition -> pacing.journal, then call.dial | pacing.demand | offer.returned."""

from __future__ import annotations

from outdial_runtime.outcome import NOTHING, Outcome
from outdial_runtime.service import TickInput
from pacer.handlers.records import emit, snapshot_records
from pacer.handlers.taking import Taken, take_tick
from pacer.ports import Deps


async def on_pacing(tick: TickInput, deps: Deps) -> Outcome:
    """Ends what is past its time, decides, and now and then writes snapshots."""
    partition = deps.owned.partitions.get(-1 if tick.partition is None else tick.partition)
    if partition is None:
        return NOTHING
    taken = Taken()
    for state in partition.teams.values():
        take_tick(deps, partition, state, tick.now, taken)
    if partition.records >= deps.snapshot_every_records:
        partition.records = 0
        taken.journal += [emit(record) for record in snapshot_records(deps, partition, tick.now)]
    return taken.outcome()
