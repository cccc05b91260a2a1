"""Checkpoints: the ledger's chains -> compliance.ledger; and the whole ledger as an export that verifies offline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from compliance_gate.domain.ledger import (
    Checkpoint,
    ExportWriter,
    Frontier,
    Record,
    checkpoint_claims,
)
from compliance_gate.ports import Deps, StoreUnavailable
from outdial_contracts.events import ComplianceLedger
from outdial_runtime.outcome import Emit, Outcome, Publish
from outdial_runtime.service import TickInput


async def checkpoint(tick: TickInput, deps: Deps) -> Outcome:
    """Signs how far this boot's chains are; a chain that did not grow is not signed again."""
    events = []
    for chain_id in deps.chains.values():
        frontier = deps.frontiers[chain_id]
        new = await deps.store.records(chain_id, after_seq=frontier.size)
        if new:
            events.append(await _sign(chain_id, frontier, new, tick.now, deps))
    return Publish(events)


async def _sign(chain_id: str, frontier: Frontier, new: Sequence[Record], now: datetime, deps: Deps) -> Emit:
    for record in new:
        frontier.add(record.hash)
    seq, head, root = frontier.size, new[-1].hash, frontier.root()
    signature = deps.signer.sign(checkpoint_claims(chain_id, seq, head, root))
    signed = Checkpoint(chain_id=chain_id, seq=seq, head=head, root=root, signature=signature)
    await deps.store.add_checkpoint(signed, now)
    event = ComplianceLedger(
        chain_id=chain_id,
        seq=seq,
        head=head,
        root=root,
        key_id=deps.signer.key_id,
        signature=signature,
        at=now,
    )
    return Emit(event=event, cause=f"checkpoint:{chain_id}:{seq}")


async def export(deps: Deps) -> AsyncIterator[bytes]:
    """The ledger as lines, as far as it is now: chains with their checkpoints, and a manifest signed over all of it.

    Chains only grow, so pages read one after the other are one ledger; nothing is held between them.

    Raises:
        StoreUnavailable: the store is away, or went back meanwhile.
    """
    writer = ExportWriter()
    for chain_id, length in await deps.store.chain_lengths():
        seq = 0
        while seq < length:
            items = await deps.store.page(chain_id, seq, length)
            if not items:
                raise StoreUnavailable("a chain became shorter")
            seq = items[-1].seq
            yield writer.lines(items)
    yield writer.manifest(deps.signer.sign, deps.clock.now().isoformat())
