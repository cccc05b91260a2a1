"""The ledger: hash chains of canonical JSON records, RFC 6962 roots over them, and their offline verification.

Theory of operation. Each process boot opens one chain per kind (decisions, redemptions), so a chain has one writer.
Record n's hash covers its sequence number, its predecessor's hash and its body; the first record names the head of the
chain before it, so a whole chain can't vanish unnoticed. A checkpoint is a JWS over {chain_id, seq, head, root}; the
root is the RFC 6962 Merkle tree head over the record hashes. An export is lines of canonical JSON: chain by chain the
records in order, each checkpoint right behind the record it covers, then one signed manifest that names every chain's
length, head and checkpoints and the SHA-256 of all bytes before it, so that a missing tail is a mismatch too. Every
byte of a line is significant: a line must equal its own canonical form. It is written and verified line by line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

GENESIS_PREVIOUS = "0" * 64
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class Chain(StrEnum):
    """What a chain holds."""

    DECISIONS = "decisions"
    REDEMPTIONS = "redemptions"


class RecordKind(StrEnum):
    """What a record says."""

    GENESIS = "GENESIS"
    DECISION = "DECISION"
    REDEMPTION = "REDEMPTION"
    REFUSAL = "REFUSAL"
    SUPPRESSION = "SUPPRESSION"
    CLOSE = "CLOSE"
    DISPOSITION = "DISPOSITION"
    PACK = "PACK"
    LIST = "LIST"
    STATE = "STATE"
    STOP = "STOP"
    KEY = "KEY"
    SUSPENSION = "SUSPENSION"
    REASSIGNED = "REASSIGNED"
    DROP_LIMIT = "DROP_LIMIT"
    RESTORE_LOCK = "RESTORE_LOCK"
    RESTORED = "RESTORED"
    RESTORE_UNLOCK = "RESTORE_UNLOCK"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something to be recorded; the body is JSON-able, holds tokens only and no float."""

    kind: RecordKind
    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A link of a chain."""

    chain_id: str
    seq: int
    """From 1, the genesis."""
    previous: str
    """Hash of the record before, hex."""
    kind: RecordKind
    body: str
    """Canonical JSON."""
    hash: str

    @property
    def name(self) -> str:
        """chain:seq."""
        return f"{self.chain_id}:{self.seq}"

    def line(self) -> str:
        """The record's line in an export, without the newline."""
        return (
            f'{{"body":{self.body},"chain_id":{json.dumps(self.chain_id)},"hash":"{self.hash}","kind":"{self.kind.value}",'
            f'"previous":"{self.previous}","seq":{self.seq},"type":"record"}}'
        )


def canonical(value: Any) -> str:
    """The one JSON form of a value: sorted keys, no spaces, ASCII."""
    return _ENCODER.encode(value)


def link(chain_id: str, seq: int, previous: str, entry: Entry) -> Record:
    """The record that continues a chain after `seq - 1` records whose last hash is `previous`."""
    body = canonical(entry.body)
    content = _content(body, chain_id, entry.kind, previous, seq)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Record(chain_id=chain_id, seq=seq, previous=previous, kind=entry.kind, body=body, hash=digest)


def follow(chain_id: str, seq: int, head: str, entries: Sequence[Entry]) -> list[Record]:
    """The records that continue a chain of `seq` records whose last hash is `head`."""
    records: list[Record] = []
    for number, entry in enumerate(entries, seq + 1):
        records.append(link(chain_id, number, records[-1].hash if records else head, entry))
    return records


def record_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical form of a record without type and hash, hex."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _content(body: str, chain_id: str, kind: RecordKind, previous: str, seq: int) -> str:
    """The canonical form that `record_hash` takes, around a body that is canonical already."""
    head = f'{{"body":{body},"chain_id":{canonical(chain_id)},"kind":{canonical(kind.value)}'
    return f'{head},"previous":{canonical(previous)},"seq":{seq}}}'


@dataclass
class Frontier:
    """RFC 6962 (2.1) Merkle tree head, grown leaf by leaf: only the roots of the complete subtrees are kept."""

    size: int = 0
    _subtrees: list[bytes] = field(default_factory=list)

    def add(self, leaf_hash: str) -> None:
        """Appends a record by its hash (hex); the leaf's data are the hash's 32 bytes."""
        node = leaf_node(leaf_hash)
        size = self.size
        while size & 1:
            node = parent_node(self._subtrees.pop(), node)
            size >>= 1
        self._subtrees.append(node)
        self.size += 1

    def root(self) -> str:
        """The tree head, hex; of no leaf, the hash of nothing."""
        if not self._subtrees:
            return hashlib.sha256(b"").hexdigest()
        node = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            node = parent_node(left, node)
        return node.hex()


def leaf_node(leaf_hash: str) -> bytes:
    """RFC 6962, 2.1: of a record's hash, hex."""
    return hashlib.sha256(b"\x00" + bytes.fromhex(leaf_hash)).digest()


def parent_node(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A signed statement of how far a chain is."""

    chain_id: str
    seq: int
    head: str
    root: str
    signature: str
    """Compact JWS over `checkpoint_claims`."""

    def line(self) -> str:
        """The checkpoint's line in an export, without the newline."""
        claims = checkpoint_claims(self.chain_id, self.seq, self.head, self.root)
        return canonical({"type": "checkpoint", **claims, "signature": self.signature})


def checkpoint_claims(chain_id: str, seq: int, head: str, root: str) -> dict[str, Any]:
    """What a checkpoint signs."""
    return {"chain_id": chain_id, "seq": seq, "head": head, "root": root}


@dataclass
class Length:
    """How far a chain is in an export."""

    seq: int = 0
    head: str = GENESIS_PREVIOUS
    checkpoints: int = 0
    checkpointed: int = 0
    """Records that the last checkpoint covers."""


def manifest_claims(chains: Mapping[str, Length], sha256: str, at: str) -> dict[str, Any]:
    """What the last line of an export signs.

    Args:
        chains: in the order of the export.
        sha256: of all bytes before the manifest, hex.
        at: when it was made, ISO 8601.
    """
    lengths = [[name, c.seq, c.head, c.checkpoints, c.checkpointed] for name, c in chains.items()]
    return {"at": at, "chains": lengths, "sha256": sha256}


def manifest_line(claims: Mapping[str, Any], signature: str) -> str:
    """The manifest's line, without the newline."""
    return canonical({"type": "manifest", **claims, "signature": signature})


class ExportWriter:
    """Makes an export's bytes from records and checkpoints in its order; keeps no more than each chain's length."""

    def __init__(self) -> None:
        self._chains: dict[str, Length] = {}
        self._digest = hashlib.sha256()

    def lines(self, items: Sequence[Record | Checkpoint]) -> bytes:
        """The lines of some of them."""
        for item in items:
            if isinstance(item, Record):
                chain = self._chains.setdefault(item.chain_id, Length())
                chain.seq, chain.head = item.seq, item.hash
            else:
                chain = self._chains[item.chain_id]
                chain.checkpoints, chain.checkpointed = chain.checkpoints + 1, item.seq
        made = "".join(f"{item.line()}\n" for item in items).encode()
        self._digest.update(made)
        return made

    def manifest(self, sign: Callable[[Mapping[str, Any]], str], at: str) -> bytes:
        """The last line."""
        claims = manifest_claims(self._chains, self._digest.hexdigest(), at)
        return f"{manifest_line(claims, sign(claims))}\n".encode()
