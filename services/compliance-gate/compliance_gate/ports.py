"""What the handlers need from outside: a transactional store, a signer, a pause, and the runtime's outbox and clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from compliance_gate.budget_ports import DropLedger
from compliance_gate.domain.clearance import State
from compliance_gate.domain.drop_limits import DropLimits
from compliance_gate.domain.facts import Attempt, ListCopy, ListInForce, Suppression
from compliance_gate.domain.ledger import Chain, Checkpoint, Entry, Frontier, Record
from compliance_gate.domain.live import LiveBook
from compliance_gate.domain.restore import RestoreLock
from compliance_gate.domain.rules import RulePack
from compliance_gate.fact_ports import ToldFacts
from outdial_contracts.events import (
    BlockReason,
    CallMode,
    ComplianceBlocked,
    ComplianceCleared,
    Consent,
    LeadReady,
    RuleOutcome,
    SuppressionChanged,
)
from outdial_contracts.identity import TokenKeys
from outdial_runtime.broker import TopicPartition
from outdial_runtime.clock import Clock
from outdial_runtime.outcome import Emit
from outdial_runtime.past import TopicPast
from outdial_runtime.service import Outbox

NOBODYS_NONCE = bytes(32)
"""No SHA-256 of a nonce is likely to be it: whoever asks again for a restored redemption learns that it is taken."""


PAGE_RECORDS = 1000
"""Of the ledger, read at once."""


class StoreUnavailable(Exception):
    """The store did not answer or lost the transaction: nothing is allowed (fail closed)."""


class StoreTorn(StoreUnavailable):
    """The store went back in time while this process ran: this boot's ledger chain is shorter than it was."""


class Unstorable(Exception):
    """The store can never hold a value of the input, such as a NUL in a text: to try again would not help."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of a person and a number: their tokens under the oldest key version, which never changes."""

    person: str
    number: str


@dataclass(frozen=True, kw_only=True)
class Clearance:
    """The stored decision on an offer."""

    offer: LeadReady
    answer: ComplianceCleared | ComplianceBlocked
    cause: str
    """ce_id of the lead.ready that made it."""
    state: State
    keys: Keys
    decided_at: datetime
    expires_at: datetime
    record_name: str
    """chain:seq of the decision."""
    closed_at: datetime | None = None


def reservation(offer: LeadReady, decided_at: datetime, expires_at: datetime) -> Attempt:
    """A cleared offer as the caps count it until its token dies."""
    return Attempt(
        attempt_id=offer.attempt_id,
        at=decided_at,
        seller_id=offer.seller_id,
        topic_id=offer.topic_id,
        purpose=offer.purpose,
        mode=CallMode.UNKNOWN,
        counts_until=expires_at,
        debt_id=offer.debt_id,
    )


@dataclass(frozen=True, kw_only=True)
class Redemption:
    """The stored answer to a Redeem of one leg."""

    leg_no: int
    nonce_hash: bytes
    granted: bool
    reasons: tuple[BlockReason, ...]
    rule_ids: tuple[str, ...]
    next_allowed_at: datetime | None
    record_name: str
    answered_at: datetime


@dataclass(frozen=True, kw_only=True)
class AttemptFact:
    """A redeemed attempt as the caps count it."""

    mode: CallMode
    at: datetime
    charged: bool
    outcomes: tuple[RuleOutcome, ...]
    revision: int


@dataclass(frozen=True, kw_only=True)
class StagedOffer:
    """An offer found on its topic, its answer not yet."""

    cause: str
    offer: LeadReady
    """In canonical form."""


@dataclass(frozen=True, kw_only=True)
class RestoredRedemption:
    """A redemption that another record tells of."""

    clearance: Clearance
    mode: CallMode
    at: datetime
    record_name: str
    """Of the ledger record that is lost, or where the redemption was found."""

    @property
    def answer(self) -> Redemption:
        """The answer to its first leg; the nonce is nobody's."""
        return Redemption(
            leg_no=1,
            nonce_hash=NOBODYS_NONCE,
            granted=True,
            reasons=(),
            rule_ids=(),
            next_allowed_at=None,
            record_name=self.record_name,
            answered_at=self.at,
        )


class Restoring(Protocol):
    """What finds out that the database was restored, and what rebuilds it (docs/restore.md)."""

    async def marks(self) -> Mapping[TopicPartition, int]:
        """Before these offsets the database holds what the topics say."""

    async def save_marks(self, marks: Mapping[TopicPartition, int]) -> None:
        """A mark never goes back."""

    async def forget_marks(self) -> None:
        """What the topics still hold will be read again; not compliance.ledger, whose lost chains are recorded once."""

    async def restore_lock(self) -> RestoreLock | None:
        """Held as it is until the transaction ends."""

    async def set_restore_lock(self, lock: RestoreLock | None) -> None: ...

    async def standings(self, attempt_ids: Sequence[str]) -> Mapping[str, State]:
        """States of those offers that are known."""

    async def stage(self, offers: Sequence[StagedOffer]) -> None: ...

    async def staged(self, attempt_ids: Sequence[str]) -> Mapping[str, StagedOffer]: ...

    async def unstage(self) -> None: ...

    async def lock_clearances(self, attempt_ids: Sequence[str]) -> Mapping[str, Clearance]:
        """Those that are known, locked."""

    async def add_clearances(self, clearances: Sequence[Clearance]) -> None: ...

    async def set_states(self, states: Sequence[tuple[str, State, datetime]]) -> None:
        """attempt_id, state, closed_at."""

    async def restore_redemptions(self, restored: Sequence[RestoredRedemption]) -> None:
        """Redeemed, counted as an attempt without opening it, and nobody's to repeat; an answer that is there stays."""

    async def reopen_attempts(self) -> None:
        """Opens every attempt that has no disposition."""

    async def known_suppressions(self, suppression_ids: Sequence[str]) -> frozenset[str]: ...


class Transaction(Restoring, ToldFacts, DropLedger, Protocol):
    """One database transaction. Order of locks: tokens, clearance, ledger chain (always last)."""

    async def lock(self, tokens: Sequence[str]) -> None:
        """Locks persons and numbers by all their tokens, in one order, until the end of the transaction."""

    async def clearance(self, attempt_id: str, *, lock: bool = False) -> Clearance | None: ...

    async def known_clearances(self, attempt_ids: Sequence[str]) -> Mapping[str, Clearance]:
        """Those that are known, not locked."""

    async def set_state(self, attempt_id: str, state: State, closed_at: datetime) -> None: ...

    async def expired(self, now: datetime, limit: int) -> Sequence[Clearance]:
        """RESERVED clearances whose token is dead, locked; those that somebody else has locked are skipped."""

    async def merge_consents(self, consents: Sequence[Consent]) -> tuple[Consent, ...]:
        """Upserts by consent_id and returns them with the earliest revocation ever seen."""

    async def consents(self, consent_ids: Sequence[str]) -> tuple[Consent, ...]: ...

    async def suppressions(self, tokens: Sequence[str]) -> Sequence[tuple[str, Suppression]]:
        """Each entry that names one of these tokens, with the token; in one query, as the next one."""

    async def attempts(self, keys: Sequence[Keys], since: datetime, now: datetime) -> Sequence[tuple[Keys, Attempt]]:
        """Charged attempts since then and live reservations of any of these persons or numbers, with whose they are."""

    async def redemptions(self, attempt_id: str) -> Sequence[Redemption]: ...

    async def add_redemption(self, attempt_id: str, redemption: Redemption) -> None: ...

    async def open_attempts(self, keys: Keys) -> frozenset[str]:
        """Open attempts of the person or the number."""

    async def open_attempt(self, clearance: Clearance, mode: CallMode, at: datetime) -> None:
        """Opens the attempt and counts it from now on."""

    async def dispose(self, attempt_id: str, charged: bool, outcomes: Sequence[RuleOutcome], revision: int) -> bool:
        """Closes the open attempt and records the outcome; False when this or a later revision is already there."""

    async def attempt_fact(self, attempt_id: str) -> AttemptFact | None: ...

    async def suppress(self, suppression: SuppressionChanged) -> SuppressionChanged:
        """Stores it, adding tokens to an earlier request of the same id, and returns what is in force."""

    async def append(self, chain: Chain, entries: Sequence[Entry]) -> list[Record]:
        """Appends to this boot's chain; the chain stays locked until the end, so this comes last. Once at most."""

    async def announce(self, events: Sequence[Emit]) -> None:
        """Writes events that leave after the commit."""


class Store(Protocol):
    """The gate's database."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that commits at the end of the block and rolls back on an exception.

        Raises:
            StoreUnavailable: at any point.
        """

    async def open_chain(self, chain: Chain, boot: Mapping[str, Any]) -> None:
        """Begins this boot's chain: its genesis names the head of the chain of this kind opened before it."""

    async def records(self, chain_id: str | None = None, after_seq: int = 0) -> Sequence[Record]:
        """Ledger records of one chain, or of all chains in the order they were opened."""

    async def chain_lengths(self) -> Sequence[tuple[str, int]]:
        """Every chain and its length now, in the order they were opened."""

    async def page(self, chain_id: str, after_seq: int, up_to_seq: int) -> Sequence[Record | Checkpoint]:
        """The next PAGE_RECORDS records of a chain at most, each checkpoint right behind the record it covers."""

    async def hashes(self, chain_id: str, after_seq: int, up_to_seq: int) -> Sequence[str]:
        """Hashes of the next PAGE_RECORDS records of a chain at most."""

    async def covering(self, chain_id: str, seq: int) -> Checkpoint | None:
        """The first checkpoint that covers a record."""

    async def records_of(self, attempt_id: str) -> Sequence[Record]: ...

    async def checkpoints(self, chain_ids: Sequence[str] | None = None) -> Sequence[Checkpoint]:
        """Of these chains, or of all."""

    async def add_checkpoint(self, checkpoint: Checkpoint, at: datetime) -> None: ...

    async def counts(self) -> Mapping[str, int]:
        """Offers by state, open attempts, suppressions and ledger records."""


class Lists(Protocol):
    """Copies of external suppression lists."""

    def copies(self, e164: str) -> Mapping[str, ListCopy]:
        """List id -> what the copy in force says of a number; a list without a copy is absent."""

    async def refresh(self) -> Mapping[str, ListInForce]:
        """Takes up copies that were loaded since and returns them; takes seconds, but not of the loop.

        Raises:
            DamagedSet: a copy is not whole; the one before stays in force.
        """

    def in_force(self) -> Mapping[str, ListInForce]:
        """List id -> the copy in force."""


class NoLists:
    """No list is ever consulted: every call that needs one is blocked (SCRUB_MISSING)."""

    def copies(self, e164: str) -> Mapping[str, ListCopy]:
        return {}

    async def refresh(self) -> Mapping[str, ListInForce]:
        return {}

    def in_force(self) -> Mapping[str, ListInForce]:
        return {}


class Signer(Protocol):
    """The gate's Ed25519 keys: one signs, those that signed before and those that will sign are believed too."""

    @property
    def key_id(self) -> str:
        """Of the one that signs."""

    @property
    def key_ids(self) -> Sequence[str]:
        """Of all that are believed."""

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact JWS over the canonical JSON of the claims."""

    def verify(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that one of the keys signed, or None."""

    def public_keys(self) -> Mapping[str, Any]:
        """The JWKS of all."""

    async def refresh(self) -> bool:
        """Takes up keys that were changed since; True when they were.

        Raises:
            ValueError: the new ones are not whole; those before stay in force.
        """


@dataclass
class Guard:
    """What this process knows of the restore; memory."""

    verified: bool = True
    """The topics were read from the marks to their ends since the start; app.py starts with False."""
    torn: bool = False
    """The database went back while this process ran: it must end."""
    lock: RestoreLock | None = None
    marked_at: float = float("-inf")
    """Monotonic seconds of the last marks."""
    positions: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Read then; saved at the next time."""


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Everything a handler may use."""

    store: Store
    signer: Signer
    tokens: TokenKeys
    pack: RulePack
    live: LiveBook
    outbox: Outbox
    clock: Clock
    pause: Callable[[float], Awaitable[None]]
    """Waits real seconds."""
    chains: Mapping[Chain, str]
    """This boot's chain ids."""
    frontiers: Mapping[str, Frontier]
    """Chain id -> its Merkle tree as far as it was signed; grown by the checkpoint tick only."""
    past: TopicPast | None = None
    """None where nothing is read back, as in tests of a single handler."""
    guard: Guard = field(default_factory=Guard)
    lists: Lists = field(default_factory=NoLists)
    drop_limits: DropLimits = field(default_factory=DropLimits)
    unrecorded: list[Entry] = field(default_factory=list)
    """What took effect in memory and is not in the ledger yet."""
