"""That records of an attempt are in signed checkpoints, shown so that it can be checked without the gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compliance_gate.domain.inclusion import AuditPaths, root_of
from compliance_gate.domain.jose import key_id
from compliance_gate.domain.ledger import Checkpoint, Record, checkpoint_claims
from compliance_gate.ports import Deps


async def inclusions(records: Sequence[Record], deps: Deps) -> list[dict[str, Any]]:
    """For each record the first checkpoint that covers it and the RFC 6962 path to its root; none in the first 5 s."""
    covering = [await deps.store.covering(record.chain_id, record.seq) for record in records]
    paths: dict[tuple[str, int], dict[int, list[str]]] = {}
    for checkpoint in {(c.chain_id, c.seq) for c in covering if c is not None}:
        leaves = [r.seq - 1 for r, c in zip(records, covering, strict=True) if c and (c.chain_id, c.seq) == checkpoint]
        paths[checkpoint] = await _paths(*checkpoint, leaves, deps)
    return [
        {"record": record.name, "checkpoint": None}
        if checkpoint is None
        else _shown(record, checkpoint, paths[checkpoint.chain_id, checkpoint.seq][record.seq - 1], deps)
        for record, checkpoint in zip(records, covering, strict=True)
    ]


async def _paths(chain_id: str, size: int, leaves: Sequence[int], deps: Deps) -> dict[int, list[str]]:
    """Reads page by page, so that Redeem gets its turn in between."""
    making = AuditPaths(frozenset(leaves))
    while making.size < size and (page := await deps.store.hashes(chain_id, making.size, size)):
        for leaf_hash in page:
            making.add(leaf_hash)
    return making.finish()


def _shown(record: Record, checkpoint: Checkpoint, path: list[str], deps: Deps) -> dict[str, Any]:
    claims = checkpoint_claims(checkpoint.chain_id, checkpoint.seq, checkpoint.head, checkpoint.root)
    is_signed = deps.signer.verify(checkpoint.signature) == claims
    is_included = root_of(record.hash, record.seq - 1, checkpoint.seq, path) == checkpoint.root
    return {
        "record": record.name,
        "checkpoint": {**claims, "key_id": key_id(checkpoint.signature), "signature": checkpoint.signature},
        "leaf_index": record.seq - 1,
        "audit_path": path,
        "included": is_included,
        "signature_holds": is_signed,
    }
