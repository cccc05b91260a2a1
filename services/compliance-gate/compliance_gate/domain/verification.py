"""Offline verification of a ledger export: every changed byte, removed or moved record is found and named chain:seq."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from compliance_gate.domain.ledger import GENESIS_PREVIOUS, Frontier, RecordKind, canonical, record_hash

CheckSignature = Callable[[str], Mapping[str, Any] | None]
"""A compact JWS -> its JSON claims, or None when no known key signed exactly these bytes."""

RECORD_KEYS = {"type", "chain_id", "seq", "previous", "kind", "body", "hash"}
CHECKPOINT_KEYS = {"type", "chain_id", "seq", "head", "root", "signature"}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that does not hold."""

    where: str
    """chain:seq of the record, or line N where not even that can be read."""
    what: str


@dataclass
class _Chain:
    hashes: list[str] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    roots: dict[int, str] = field(default_factory=dict)
    broken: bool = False
    """Its first bad record was named; what follows can't be judged."""


@dataclass
class Verifier:
    """Fed line by line; `problems` names the first bad record of every chain, the counters what holds."""

    check: CheckSignature
    wanted_roots: Mapping[str, frozenset[int]]
    """Chain -> sizes at which some checkpoint claims a root; a root is computed only there."""
    problems: list[Problem] = field(default_factory=list)
    records: int = 0
    checkpoints: int = 0
    _chains: dict[str, _Chain] = field(default_factory=dict)
    _predecessors: list[tuple[str, Any]] = field(default_factory=list)
    _manifest_line: int = 0
    _last_line: int = 0

    @property
    def chains(self) -> int:
        """Chains seen."""
        return len(self._chains)

    def feed(self, number: int, line: str) -> None:
        """Checks one line; `number` counts from 1."""
        self._last_line = number
        value = _parse(line)
        if value is None:
            self._unreadable(number, "not the canonical JSON form of an export line")
        elif value.get("type") == "record" and value.keys() == RECORD_KEYS:
            self._record(value)
        elif value.get("type") == "checkpoint" and value.keys() == CHECKPOINT_KEYS:
            self._checkpoint(value)
        elif value.get("type") == "manifest" and value.keys() == {"type", "chains", "signature"}:
            self._manifest(number, value)
        else:
            self._unreadable(number, "neither record, checkpoint nor manifest")

    def finish(self) -> list[Problem]:
        """Checks what only the whole export can tell, and returns all problems."""
        if not self._manifest_line or self._manifest_line != self._last_line:
            self._problem(f"line {self._last_line}", "the signed manifest is not the last line")
        for name, predecessor in self._predecessors:
            self._check_predecessor(name, predecessor)
        return self.problems

    def _problem(self, where: str, what: str) -> None:
        self.problems.append(Problem(where=where, what=what))

    def _unreadable(self, number: int, what: str) -> None:
        """A line that says nothing stands where the next record of the chain being read was expected."""
        if not self._chains:
            self._problem(f"line {number}", what)
            return
        chain_id, chain = next(reversed(self._chains.items()))
        self._break(chain_id, chain, f"line {number}: {what}")

    def _break(self, chain_id: str, chain: _Chain, what: str) -> None:
        if not chain.broken:
            self._problem(f"{chain_id}:{len(chain.hashes) + 1}", what)
        chain.broken = True

    def _record(self, value: Mapping[str, Any]) -> None:
        chain_id, seq = str(value["chain_id"]), value["seq"]
        chain = self._chains.setdefault(chain_id, _Chain())
        if chain.broken:
            return
        fault = _fault(value, chain)
        if fault is not None:
            self._break(chain_id, chain, fault)
            return
        if seq == 1 and isinstance(value["body"], dict) and value["body"].get("predecessor") is not None:
            self._predecessors.append((f"{chain_id}:1", value["body"]["predecessor"]))
        self.records += 1
        chain.hashes.append(value["hash"])
        chain.frontier.add(value["hash"])
        if seq in self.wanted_roots.get(chain_id, ()):
            chain.roots[seq] = chain.frontier.root()

    def _checkpoint(self, value: Mapping[str, Any]) -> None:
        chain_id, seq = str(value["chain_id"]), value["seq"]
        where = f"{chain_id}:{seq}"
        chain = self._chains.get(chain_id, _Chain())
        claims = {k: value[k] for k in CHECKPOINT_KEYS - {"type", "signature"}}
        if chain.broken:
            return
        if self.check(str(value["signature"])) != claims:
            self._problem(where, "the checkpoint's signature does not match it")
        elif not isinstance(seq, int) or not 1 <= seq <= len(chain.hashes):
            self._problem(f"{chain_id}:{len(chain.hashes) + 1}", f"missing: a checkpoint covers {seq} records")
        elif chain.hashes[seq - 1] != value["head"] or chain.roots.get(seq) != value["root"]:
            self._problem(where, "the checkpoint's head or root does not match the records before it")
        else:
            self.checkpoints += 1

    def _manifest(self, number: int, value: Mapping[str, Any]) -> None:
        self._manifest_line = number
        if self.check(str(value["signature"])) != {"chains": value["chains"]}:
            self._problem(f"line {number}", "the manifest's signature does not match it")
            return
        for chain_id in sorted(self._chains.keys() - value["chains"].keys()):
            self._problem(f"{chain_id}:1", "the manifest does not know this chain")
        for chain_id, (seq, head) in value["chains"].items():
            chain = self._chains.get(chain_id, _Chain())
            hashes = chain.hashes
            if chain.broken:
                continue
            if len(hashes) < seq:
                self._problem(f"{chain_id}:{len(hashes) + 1}", f"missing: the manifest counts {seq} records")
            elif len(hashes) > seq or hashes[-1] != head:
                self._problem(f"{chain_id}:{len(hashes)}", "the manifest names another last record")

    def _check_predecessor(self, name: str, predecessor: Any) -> None:
        if not isinstance(predecessor, dict):
            self._problem(name, "its predecessor is not a chain, a sequence number and a head")
            return
        chain_id, seq = str(predecessor.get("chain_id")), predecessor.get("seq")
        chain = self._chains.get(chain_id, _Chain())
        hashes = chain.hashes
        if chain.broken:
            return
        if not isinstance(seq, int) or len(hashes) < seq:
            self._problem(f"{chain_id}:{len(hashes) + 1}", f"missing: {name} continues after {chain_id}:{seq}")
        elif hashes[seq - 1] != predecessor.get("head"):
            self._problem(f"{chain_id}:{seq}", f"its hash is not the one that {name} continues")


def verify(text: str, check: CheckSignature) -> Verifier:
    """Verifies a whole export; `problems` of the result is empty when every byte holds."""
    *lines, rest = text.split("\n")
    if rest:
        lines.append(rest)
    verifier = Verifier(check=check, wanted_roots=_sizes(lines))
    for number, line in enumerate(lines, start=1):
        verifier.feed(number, line)
    verifier.finish()
    if rest or not lines:
        verifier.problems.append(Problem(where=f"line {len(lines)}", what="cut: no newline at the end"))
    return verifier


def _sizes(lines: Iterable[str]) -> dict[str, frozenset[int]]:
    sizes: dict[str, set[int]] = {}
    for line in lines:
        if '"type":"checkpoint"' in line and (value := _parse(line)) and isinstance(value.get("seq"), int):
            sizes.setdefault(str(value.get("chain_id")), set()).add(value["seq"])
    return {chain_id: frozenset(found) for chain_id, found in sizes.items()}


def _parse(line: str) -> dict[str, Any] | None:
    """The line's object when the line is exactly its canonical form, else None."""
    try:
        value = json.loads(line)
        same = isinstance(value, dict) and canonical(value) == line
    except (ValueError, RecursionError):
        return None
    return value if same else None


def _fault(value: Mapping[str, Any], chain: _Chain) -> str | None:
    """What is wrong with the record that stands where the chain's next one is expected."""
    seq, expected = value["seq"], len(chain.hashes) + 1
    if seq != expected:
        return f"missing or moved: found {seq} in its place"
    if record_hash({k: value[k] for k in RECORD_KEYS - {"type", "hash"}}) != value["hash"]:
        return "its content does not match its hash"
    if value["previous"] != (chain.hashes[-1] if chain.hashes else GENESIS_PREVIOUS):
        return "it does not continue the record before it"
    if (seq == 1) != (value["kind"] == RecordKind.GENESIS.value):
        return "a chain begins with one genesis record"
    return None
