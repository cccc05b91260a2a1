"""A store in memory for tests and the deterministic world: as PostgreSQL behaves with one transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

from compliance_gate.adapters.memory_budget import BudgetMemory
from compliance_gate.adapters.memory_facts import FACT_CONTENTS, FactsMemory
from compliance_gate.adapters.memory_restore import RestoringMemory
from compliance_gate.domain.clearance import State
from compliance_gate.domain.facts import Attempt, Suppression
from compliance_gate.domain.ledger import GENESIS_PREVIOUS, Chain, Checkpoint, Entry, Record, RecordKind, follow, link
from compliance_gate.ports import PAGE_RECORDS, AttemptFact, Clearance, Keys, Redemption, reservation
from outdial_contracts.events import CallMode, Consent, RuleOutcome, SuppressionChanged
from outdial_runtime.outcome import Emit

CONTENTS = (
    *("clearances", "answers", "open_ids", "facts", "held", "suppressed", "announced", "signed", "chain_records"),
    *("topic_marks", "lock_row", "staged_offers"),
    *FACT_CONTENTS,
    *("drops", "budgets", "signed_at"),
)


class MemoryStore(BudgetMemory, RestoringMemory, FactsMemory):
    """Store and Transaction in one: a lock makes transactions exclusive; nothing rolls back."""

    def __init__(self, chains: Mapping[Chain, str]) -> None:
        super().__init__()
        self._chains, self._mutex = dict(chains), asyncio.Lock()
        self.clearances: dict[str, Clearance] = {}
        self.answers: dict[str, list[Redemption]] = {}
        self.open_ids: dict[str, Keys] = {}
        self.facts: dict[str, AttemptFact] = {}
        self.held: dict[str, Consent] = {}
        self.suppressed: dict[str, SuppressionChanged] = {}
        self.announced: list[Emit] = []
        self.signed: list[Checkpoint] = []
        self.signed_at: dict[Checkpoint, datetime] = {}
        genesis = Entry(kind=RecordKind.GENESIS, body={"predecessor": None})
        self.chain_records = {c: [link(c, 1, GENESIS_PREVIOUS, genesis)] for c in chains.values()}

    def snapshot(self) -> Mapping[str, Any]:
        """A backup of everything that a database would hold."""
        return deepcopy({name: value for name, value in self.__dict__.items() if name in CONTENTS})

    def rewind(self, snapshot: Mapping[str, Any]) -> None:
        """Goes back to a backup; the snapshot may be used again."""
        self.__dict__.update(deepcopy(dict(snapshot)))

    def begin_boot(self, chains: Mapping[Chain, str]) -> None:
        """The chains of the next boot; `open_chain` begins each."""
        self._chains = dict(chains)

    async def open_chain(self, chain: Chain, boot: Mapping[str, Any]) -> None:
        kind = f".{chain.value}"
        before = [c for c in self.chain_records if c.endswith(kind) and c != self._chains[chain]]
        last = self.chain_records[before[-1]][-1] if before else None
        predecessor = {"chain_id": last.chain_id, "seq": last.seq, "head": last.hash} if last else None
        entry = Entry(kind=RecordKind.GENESIS, body={**boot, "predecessor": predecessor})
        chain_id = self._chains[chain]
        self.chain_records[chain_id] = [link(chain_id, 1, GENESIS_PREVIOUS, entry)]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryStore]:
        async with self._mutex:
            yield self

    async def records(self, chain_id: str | None = None, after_seq: int = 0) -> Sequence[Record]:
        chosen = [chain_id] if chain_id else list(self.chain_records)
        return [r for c in chosen for r in self.chain_records[c] if r.seq > after_seq]

    async def chain_lengths(self) -> Sequence[tuple[str, int]]:
        return [(chain_id, len(records)) for chain_id, records in self.chain_records.items()]

    async def page(self, chain_id: str, after_seq: int, up_to_seq: int) -> Sequence[Record | Checkpoint]:
        signed = {c.seq: c for c in self.signed if c.chain_id == chain_id}
        records = self.chain_records[chain_id][after_seq : min(up_to_seq, after_seq + PAGE_RECORDS)]
        return [item for r in records for item in (r, signed.get(r.seq)) if item is not None]

    async def hashes(self, chain_id: str, after_seq: int, up_to_seq: int) -> Sequence[str]:
        records = self.chain_records[chain_id][after_seq : min(up_to_seq, after_seq + PAGE_RECORDS)]
        return [record.hash for record in records]

    async def covering(self, chain_id: str, seq: int) -> Checkpoint | None:
        found = [c for c in self.signed if c.chain_id == chain_id and c.seq >= seq]
        return min(found, key=lambda c: c.seq, default=None)

    async def records_of(self, attempt_id: str) -> Sequence[Record]:
        return [r for r in await self.records() if attempt_id in r.body]

    async def checkpoints(self, chain_ids: Sequence[str] | None = None) -> Sequence[Checkpoint]:
        return [c for c in self.signed if chain_ids is None or c.chain_id in chain_ids]

    async def add_checkpoint(self, checkpoint: Checkpoint, at: datetime) -> None:
        self.signed.append(checkpoint)
        self.signed_at[checkpoint] = at

    async def counts(self) -> Mapping[str, int]:
        return {"open_attempts": len(self.open_ids), "suppressions": len(self.suppressed)}

    async def lock(self, tokens: Sequence[str]) -> None:
        """The mutex holds all of them."""

    async def clearance(self, attempt_id: str, *, lock: bool = False) -> Clearance | None:
        return self.clearances.get(attempt_id)

    async def known_clearances(self, attempt_ids: Sequence[str]) -> Mapping[str, Clearance]:
        return {i: self.clearances[i] for i in attempt_ids if i in self.clearances}

    async def set_state(self, attempt_id: str, state: State, closed_at: datetime) -> None:
        self.clearances[attempt_id] = replace(self.clearances[attempt_id], state=state, closed_at=closed_at)

    async def expired(self, now: datetime, limit: int) -> Sequence[Clearance]:
        return [c for c in self.clearances.values() if c.state is State.RESERVED and c.expires_at <= now][:limit]

    async def merge_consents(self, consents: Sequence[Consent]) -> tuple[Consent, ...]:
        for c in consents:
            known = self.held.get(c.consent_id)
            revoked = [x.revoked_at for x in (c, known) if x and x.revoked_at]
            self.held[c.consent_id] = replace(c, revoked_at=min(revoked, default=None))
        return await self.consents([c.consent_id for c in consents])

    async def consents(self, consent_ids: Sequence[str]) -> tuple[Consent, ...]:
        return tuple(self.held[i] for i in consent_ids if i in self.held)

    async def suppressions(self, tokens: Sequence[str]) -> Sequence[tuple[str, Suppression]]:
        return [
            (token, Suppression(seller_id=s.seller_id, requested_at=s.requested_at))
            for s in self.suppressed.values()
            for token in sorted({*s.callee_tokens, *s.person_tokens}.intersection(tokens))
        ]

    async def attempts(self, keys: Sequence[Keys], since: datetime, now: datetime) -> Sequence[tuple[Keys, Attempt]]:
        persons, numbers = {k.person for k in keys}, {k.number for k in keys}
        found = []
        for attempt_id, c in self.clearances.items():
            if c.keys.person not in persons and c.keys.number not in numbers:
                continue
            fact = self.facts.get(attempt_id)
            if fact is not None and fact.charged and fact.at > since:
                found.append((c.keys, self._attempt(c, fact)))
            elif c.state is State.RESERVED and c.expires_at > now:
                found.append((c.keys, reservation(c.offer, c.decided_at, c.expires_at)))
        return found

    @staticmethod
    def _attempt(c: Clearance, fact: AttemptFact) -> Attempt:
        reserved = reservation(c.offer, c.decided_at, c.expires_at)
        return replace(reserved, at=fact.at, mode=fact.mode, outcomes=fact.outcomes, counts_until=None)

    async def redemptions(self, attempt_id: str) -> Sequence[Redemption]:
        return self.answers.get(attempt_id, [])

    async def add_redemption(self, attempt_id: str, redemption: Redemption) -> None:
        self.answers.setdefault(attempt_id, []).append(redemption)

    async def open_attempts(self, keys: Keys) -> frozenset[str]:
        return frozenset(i for i, k in self.open_ids.items() if k.person == keys.person or k.number == keys.number)

    async def open_attempt(self, clearance: Clearance, mode: CallMode, at: datetime) -> None:
        attempt_id = clearance.offer.attempt_id
        self.open_ids[attempt_id] = clearance.keys
        self.facts[attempt_id] = AttemptFact(mode=mode, at=at, charged=True, outcomes=(), revision=0)

    async def dispose(self, attempt_id: str, charged: bool, outcomes: Sequence[RuleOutcome], revision: int) -> bool:
        fact = self.facts.get(attempt_id)
        if fact is None or fact.revision >= revision:
            return False
        self.facts[attempt_id] = replace(fact, charged=charged, outcomes=tuple(outcomes), revision=revision)
        self.open_ids.pop(attempt_id, None)
        return True

    async def attempt_fact(self, attempt_id: str) -> AttemptFact | None:
        return self.facts.get(attempt_id)

    async def suppress(self, suppression: SuppressionChanged) -> SuppressionChanged:
        return self.suppressed.setdefault(suppression.suppression_id, suppression)

    async def append(self, chain: Chain, entries: Sequence[Entry]) -> list[Record]:
        records = self.chain_records[self._chains[chain]]
        new = follow(self._chains[chain], records[-1].seq, records[-1].hash, entries)
        records += new
        return new

    async def announce(self, events: Sequence[Emit]) -> None:
        self.announced += events
