"""Proof that a record is in a signed checkpoint: RFC 6962 audit paths (2.1.1), made and checked.

A path is what whoever holds one record and the checkpoint's root needs, and nothing of other people's records.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from compliance_gate.domain.ledger import leaf_node, parent_node


@dataclass(frozen=True)
class _Node:
    digest: bytes
    wanted: tuple[int, ...]
    """Leaves below it whose path is being made."""


@dataclass
class AuditPaths:
    """Fed every leaf of a tree in order; keeps the edge of the tree and the paths of the wanted leaves."""

    wanted: Collection[int]
    """From 0: a record's number less one."""
    size: int = 0
    _edge: list[_Node] = field(default_factory=list)
    _paths: dict[int, list[str]] = field(default_factory=dict)

    def add(self, leaf_hash: str) -> None:
        """The next record's hash, hex."""
        node = _Node(leaf_node(leaf_hash), (self.size,) if self.size in self.wanted else ())
        size = self.size
        while size & 1:
            node = self._join(self._edge.pop(), node)
            size >>= 1
        self._edge.append(node)
        self.size += 1

    def finish(self) -> dict[int, list[str]]:
        """Leaf -> its path from the leaf up, hex."""
        node = self._edge[-1]
        for left in reversed(self._edge[:-1]):
            node = self._join(left, node)
        self._edge = [node]
        return {leaf: self._paths.get(leaf, []) for leaf in self.wanted}

    def _join(self, left: _Node, right: _Node) -> _Node:
        for one, other in ((left, right), (right, left)):
            for leaf in one.wanted:
                self._paths.setdefault(leaf, []).append(other.digest.hex())
        return _Node(parent_node(left.digest, right.digest), left.wanted + right.wanted)


def root_of(leaf_hash: str, leaf: int, size: int, path: Sequence[str]) -> str | None:
    """The root that a path leads to (RFC 9162, 2.1.3.2), hex; None where a path of that length leads nowhere.

    Args:
        leaf: from 0.
        size: leaves of the tree.
    """
    if not 0 <= leaf < size:
        return None
    at, last, node = leaf, size - 1, leaf_node(leaf_hash)
    for sibling in map(bytes.fromhex, path):
        if last == 0:
            return None
        if at & 1 or at == last:
            node = parent_node(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = parent_node(node, sibling)
        at, last = at >> 1, last >> 1
    return node.hex() if last == 0 else None
