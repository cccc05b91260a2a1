"""Checkpoints: the ledger's chains -> compliance.ledger; and the whole ledger as an export that verifies offline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from compliance_gate.domain.ledger import (
    Checkpoint,
    Frontier,
    Record,
    checkpoint_claims,
    manifest_claims,
    manifest_line,
)
from compliance_gate.ports import Deps
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


async def export(deps: Deps) -> str:
    """The ledger as lines: records chain by chain, checkpoints, and a manifest signed now over every chain's head."""
    checkpoints = await deps.store.checkpoints()
    records = await deps.store.records()
    heads = {record.chain_id: record for record in records}
    covered = [c for c in checkpoints if c.chain_id in heads and c.seq <= heads[c.chain_id].seq]
    claims = manifest_claims(list(heads.values()))
    lines = [
        *(r.line() for r in records),
        *(c.line() for c in covered),
        manifest_line(claims, deps.signer.sign(claims)),
    ]
    return "\n".join(lines) + "\n"
