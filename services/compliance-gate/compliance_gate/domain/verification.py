"""Offline verification of a ledger export: every changed byte, removed or moved record is found and named chain:seq.

Theory of operation. The export is read line by line and twice. The first reading finds which heads later chains say
they continue and which chains the manifest names (`outline`); the second checks. Of each chain only its length, its
last hash and the edge of its Merkle tree are kept, so memory does not grow with the records. A record's own hash names
a change by whoever did not recompute the hashes; the next checkpoint's signed head and root find who did, and name the
records since the checkpoint before. The manifest finds a missing tail, a missing checkpoint and chains in another
order; checkpoints from the topic compliance.ledger find an older export, whose manifest is as good as the newest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compliance_gate.domain.export import RecordLine, checkpoint_line, manifest_of, other_line, record_line
from compliance_gate.domain.jose import key_id
from compliance_gate.domain.ledger import Frontier, Length, RecordKind, checkpoint_claims

CheckSignature = Callable[[str], Mapping[str, Any] | None]
"""A compact JWS -> its JSON claims, or None when no known key signed exactly these bytes."""

MANIFEST_CLAIMS = ("at", "chains", "sha256")

Heads = Mapping[str, Mapping[int, tuple[str, str]]]
"""Chain -> length -> (head, root) as signed checkpoints on the topic say."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that does not hold."""

    where: str
    """chain:seq of the record, chain:first..last where one of these must be it, line N where no record is at fault."""
    what: str


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What the first reading of an export finds."""

    continued: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Chain -> lengths at which some later chain continues it."""
    lengths: Mapping[str, int] = field(default_factory=dict)
    """Chain -> length, of the signed manifest; empty without one."""


@dataclass
class _Chain(Length):
    frontier: Frontier = field(default_factory=Frontier)
    kept: dict[int, str] = field(default_factory=dict)
    """Hashes that the first record of a later chain names."""
    trusted: int = 0
    """Records that a signed head covers."""
    broken: bool = False
    """Its first bad record was named; what follows can't be judged."""


@dataclass
class Verifier:
    """Fed line by line; `problems` names the first bad record of every chain, the counters what holds."""

    check: CheckSignature
    outline: Outline = field(default_factory=Outline)
    topic: Heads = field(default_factory=dict)
    """What the topic's checkpoints say, when there is a dump of it."""
    problems: list[Problem] = field(default_factory=list)
    records: int = 0
    checkpoints: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    """Chain -> length that a restored database had lost, as a genesis record says."""
    _chains: dict[str, _Chain] = field(default_factory=dict)
    _current: str = ""
    _predecessors: list[tuple[str, Any]] = field(default_factory=list)
    _ended: bool = False
    _lines: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    @property
    def chains(self) -> int:
        """Chains seen."""
        return len(self._chains)

    def feed(self, raw: bytes) -> None:
        """Checks the next line, given with its newline."""
        self._lines += 1
        line = raw[:-1]
        if self._ended:
            self._problem(f"line {self._lines}", "a line after the manifest")
        elif not raw.endswith(b"\n"):
            self._unreadable("cut: no newline at the end")
        elif (found := record_line(line)) is not None:
            self._record(*found)
        elif (value := other_line(line)) is not None and checkpoint_line(value):
            self._checkpoint(value)
        elif value is not None and manifest_of(value):
            self._manifest(value)
        else:
            self._unreadable("no canonical form of a record, a checkpoint or a manifest")
        self._digest.update(raw)

    def finish(self) -> list[Problem]:
        """Checks what only the whole export can tell, and returns all problems."""
        if not self._ended:
            self._unreadable("the export ends without its signed manifest")
        for name, predecessor in self._predecessors:
            self._check_predecessor(name, predecessor)
        for chain_id, heads in self.topic.items():
            self._check_topic(chain_id, max(heads))
        return self.problems

    def _problem(self, where: str, what: str) -> None:
        self.problems.append(Problem(where=where, what=what))

    def _unreadable(self, what: str) -> None:
        """A line that says nothing stands where the next record of the chain being read was expected."""
        chain = self._chains.get(self._current)
        if chain is None:
            self._problem(f"line {self._lines}", what)
        else:
            self._break(self._current, chain, f"line {self._lines}: {what}")

    def _break(self, chain_id: str, chain: _Chain, what: str, seq: int = 0) -> None:
        if not chain.broken:
            self._problem(f"{chain_id}:{seq or chain.seq + 1}", what)
        chain.broken = True

    def _break_since(self, chain_id: str, chain: _Chain, what: str) -> None:
        """The hashes fit each other, but a signed head does not: some record since the last trusted one is at fault."""
        first, last = chain.trusted + 1, max(chain.seq, chain.trusted + 1)
        if not chain.broken:
            self._problem(f"{chain_id}:{first}" if first == last else f"{chain_id}:{first}..{last}", what)
        chain.broken = True

    def _record(self, record: RecordLine, content_hash: str) -> None:
        chain = self._chain_of(record)
        if chain is None or chain.broken:
            return
        fault = _fault(record, content_hash, chain)
        if fault is not None:
            repeated = 1 <= record.seq <= chain.seq
            self._break(record.chain_id, chain, fault, record.seq if repeated else 0)
            return
        if record.seq == 1:
            self._genesis(record)
        self.records += 1
        chain.seq, chain.head = record.seq, record.hash
        chain.frontier.add(record.hash)
        if record.seq in self.outline.continued.get(record.chain_id, ()):
            chain.kept[record.seq] = record.hash
        said = self.topic.get(record.chain_id, {}).get(record.seq)
        if said is not None:
            if said == (record.hash, chain.frontier.root()):
                chain.trusted = record.seq
            else:
                self._break_since(record.chain_id, chain, f"the topic's checkpoint at {record.seq} says otherwise")

    def _chain_of(self, record: RecordLine) -> _Chain | None:
        """The record's chain; a chain is written in one piece, so a record outside of it breaks a chain."""
        if record.chain_id == self._current:
            return self._chains[self._current]
        known, current = self._chains.get(record.chain_id), self._chains.get(self._current)
        if known is not None:
            self._break(record.chain_id, known, "moved: it stands outside of its chain", record.seq)
            return None
        if record.seq != 1:
            self._stranger(record, current)
            return None
        self._current = record.chain_id
        return self._chains.setdefault(record.chain_id, _Chain())

    def _stranger(self, record: RecordLine, current: _Chain | None) -> None:
        """A record of a chain that has not begun: where the manifest knows the chain, that one is at fault."""
        stated = self.outline.lengths
        if record.chain_id not in stated and current is not None:
            what = f"missing or moved: found {record.chain_id}:{record.seq} in its place"
            self._break(self._current, current, what)
            return
        chain = self._chains.setdefault(record.chain_id, _Chain())
        if record.seq == 2 or current is None or current.seq >= stated.get(self._current, 0):
            self._break(record.chain_id, chain, f"missing: the chain begins with {record.seq}")
        else:
            self._break(record.chain_id, chain, "moved: it stands before its chain", record.seq)

    def _genesis(self, record: RecordLine) -> None:
        if record.body.get("predecessor") is not None:
            self._predecessors.append((f"{record.chain_id}:1", record.body["predecessor"]))
        lost = record.body.get("lost")
        if isinstance(lost, dict):
            for chain_id, (seq, _) in lost.items():
                self.lost[chain_id] = max(seq, self.lost.get(chain_id, 0))

    def _checkpoint(self, value: Mapping[str, Any]) -> None:
        chain_id, seq = value["chain_id"], value["seq"]
        chain = self._chains.get(chain_id)
        if chain is None:
            self._problem(f"{chain_id}:1", f"missing: a checkpoint covers {seq} records")
            self._chains[chain_id] = _Chain(broken=True)
        elif chain.broken:
            return
        elif self.check(value["signature"]) != checkpoint_claims(chain_id, seq, value["head"], value["root"]):
            signer = key_id(value["signature"])
            self._break(chain_id, chain, f"its checkpoint's signature (key {signer}) does not hold", seq)
        elif seq > chain.seq:
            self._break(chain_id, chain, f"missing: a checkpoint covers {seq} records")
        elif seq < chain.seq or chain_id != self._current or seq == chain.checkpointed:
            self._break(chain_id, chain, "its checkpoint is moved or stands twice", seq)
        elif (value["head"], value["root"]) != (chain.head, chain.frontier.root()):
            self._break_since(chain_id, chain, "the hashes were made anew: the signed checkpoint says otherwise")
        else:
            self.checkpoints += 1
            chain.checkpoints, chain.checkpointed, chain.trusted = chain.checkpoints + 1, seq, seq

    def _manifest(self, value: Mapping[str, Any]) -> None:
        self._ended = True
        claims = {name: value[name] for name in MANIFEST_CLAIMS}
        if self.check(value["signature"]) != claims:
            signer = key_id(value["signature"])
            self._problem(f"line {self._lines}", f"the manifest's signature (key {signer}) does not hold")
            return
        before = len(self.problems)
        stated = {length[0]: length for length in value["chains"]}
        for chain_id in [name for name in self._chains if name not in stated]:
            self._break(chain_id, self._chains[chain_id], "the manifest does not know this chain", 1)
        for chain_id, seq, head, checkpoints, checkpointed in value["chains"]:
            self._check_length(chain_id, Length(seq, head, checkpoints, checkpointed))
        moved = next((c for c, s in zip(self._chains, stated, strict=False) if c != s), None)
        if len(self.problems) == before and moved is not None:
            self._problem(f"{moved}:1", "its chain stands in another place than the manifest says")
        elif not self.problems and value["sha256"] != self._digest.hexdigest():
            self._problem(f"line {self._lines}", "the bytes before the manifest are not those it was signed for")

    def _check_length(self, chain_id: str, stated: Length) -> None:
        chain = self._chains.setdefault(chain_id, _Chain())
        if chain.seq < stated.seq:
            self._break(chain_id, chain, f"missing: the manifest counts {stated.seq} records")
        elif chain.seq > stated.seq:
            self._break(chain_id, chain, f"the manifest counts {stated.seq} records", stated.seq + 1)
        elif chain.head != stated.head:
            self._break_since(chain_id, chain, "the hashes were made anew: the signed manifest says otherwise")
        elif chain.checkpoints != stated.checkpoints:
            what = f"{chain.checkpoints} checkpoints where the manifest counts {stated.checkpoints}"
            self._break(chain_id, chain, f"a checkpoint is missing: {what}", stated.checkpointed)

    def _check_predecessor(self, name: str, predecessor: Any) -> None:
        if not isinstance(predecessor, dict) or not isinstance(predecessor.get("seq"), int):
            self._problem(name, "its predecessor is not a chain, a sequence number and a head")
            return
        chain_id, seq = str(predecessor.get("chain_id")), predecessor["seq"]
        chain = self._chains.setdefault(chain_id, _Chain())
        if chain.seq < seq:
            self._break(chain_id, chain, f"missing: {name} continues after {chain_id}:{seq}")
        elif chain.kept.get(seq) != predecessor.get("head"):
            self._break(chain_id, chain, f"its hash is not the one that {name} continues", seq)

    def _check_topic(self, chain_id: str, seq: int) -> None:
        """A chain may be shorter than the topic says only as far as the ledger itself says that it was lost."""
        chain = self._chains.setdefault(chain_id, _Chain())
        if chain.seq < seq and self.lost.get(chain_id, 0) < seq:
            self._break(chain_id, chain, f"missing: a checkpoint on the topic covers {seq} records")


def verify(lines: Callable[[], Iterable[bytes]], check: CheckSignature, topic: Heads | None = None) -> Verifier:
    """Verifies a whole export; `problems` of the result is empty when every byte holds.

    Args:
        lines: the export from its start, each line with its newline; called twice.
    """
    verifier = Verifier(check=check, outline=outline(lines(), check), topic=topic or {})
    for line in lines():
        verifier.feed(line)
    verifier.finish()
    return verifier


def lines_of(export: bytes) -> Callable[[], Iterator[bytes]]:
    """An export in memory, for `verify`."""

    def lines() -> Iterator[bytes]:
        *whole, rest = export.split(b"\n")
        yield from (line + b"\n" for line in whole)
        if rest:
            yield rest

    return lines


def outline(lines: Iterable[bytes], check: CheckSignature) -> Outline:
    """What the verifier must know before it reads; nothing of it is believed but the signed manifest."""
    continued: dict[str, set[int]] = {}
    lengths: dict[str, int] = {}
    for line in lines:
        if b'"kind":"GENESIS"' in line and (found := record_line(line[:-1])):
            before = found[0].body.get("predecessor")
            if isinstance(before, dict) and isinstance(before.get("seq"), int):
                continued.setdefault(str(before.get("chain_id")), set()).add(before["seq"])
        elif line.endswith(b'"type":"manifest"}\n') and (value := other_line(line[:-1])) and manifest_of(value):
            claims = {name: value[name] for name in MANIFEST_CLAIMS}
            if check(value["signature"]) == claims:
                lengths = {length[0]: length[1] for length in value["chains"]}
    return Outline(continued={c: frozenset(seqs) for c, seqs in continued.items()}, lengths=lengths)


def topic_heads(lines: Iterable[bytes], check: CheckSignature) -> tuple[Heads, list[Problem]]:
    """What a dump of compliance.ledger says: checkpoint lines as in an export; a bad or contradicting one is named."""
    heads: dict[str, dict[int, tuple[str, str]]] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        value = other_line(line.removesuffix(b"\n"))
        if value is None or not checkpoint_line(value):
            problems.append(Problem(where=f"checkpoints line {number}", what="no canonical form of a checkpoint"))
            continue
        chain_id, seq, claim = value["chain_id"], value["seq"], (value["head"], value["root"])
        if check(value["signature"]) != checkpoint_claims(chain_id, seq, *claim):
            what = f"the topic's checkpoint's signature (key {key_id(value['signature'])}) does not hold"
            problems.append(Problem(where=f"{chain_id}:{seq}", what=what))
        elif heads.setdefault(chain_id, {}).setdefault(seq, claim) != claim:
            problems.append(Problem(where=f"{chain_id}:{seq}", what="two signed checkpoints contradict each other"))
    return heads, problems


def _fault(record: RecordLine, content_hash: str, chain: _Chain) -> str | None:
    """What is wrong with the record that stands where the chain's next one is expected."""
    if 1 <= record.seq <= chain.seq:
        return f"a record of this number stands again after {chain.seq}"
    if record.seq != chain.seq + 1:
        return f"missing or moved: found {record.seq} in its place"
    if content_hash != record.hash:
        return "its content does not match its hash"
    if record.previous != chain.head:
        return "it does not continue the record before it"
    if (record.seq == 1) != (record.kind == RecordKind.GENESIS.value):
        return "a chain begins with one genesis record"
    return None
