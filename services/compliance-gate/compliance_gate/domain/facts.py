"""What an evaluation looks at: the call, the lead, and what the gate's store knows of the person and the number.

Field names follow FORMAT.md of the rule pack. Attempts, suppressions and consents are already those of this person
*or* this number (RULES.md 5.4): the store matches by token, the rules below match by seller, purpose and time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from outdial_contracts.events import Address, CallMode, Consent, LineType, Purpose, RuleOutcome


@dataclass(frozen=True, kw_only=True)
class PersonCap:
    """A campaign's own cap: attempts per person for one legal campaign (seller and topic) in a rolling window."""

    max_attempts: int
    window_hours: int


@dataclass(frozen=True, kw_only=True)
class Call:
    """The call somebody wants to place."""

    seller_id: str
    topic_id: str
    purpose: Purpose
    mode: CallMode
    ring_seconds: int = 0
    """The phone may ring this long, so a window must still be open then (0: look at this instant only)."""
    person_cap: PersonCap | None = None
    debt_id: str | None = None
    """Collections only."""
    agent_guaranteed: bool = False
    """A live agent is reserved before the number is dialled."""


@dataclass(frozen=True, kw_only=True)
class Lead:
    """The person and the number."""

    phone: str
    """As written; RULES.md 4.1 normalises it."""
    line_type: LineType
    consumer: bool
    """True for a private person."""
    address: Address
    default_region: str = "US"
    rnd_disconnected_at: datetime | None = None
    """Last permanent disconnect by the Reassigned Numbers Database."""


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """An entry of the company's own do-not-call list for this person or number."""

    seller_id: str
    """A seller, or * for all."""
    requested_at: datetime


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A redeemed attempt, or a reservation that may still become one."""

    attempt_id: str
    at: datetime
    seller_id: str
    topic_id: str
    purpose: Purpose
    mode: CallMode
    outcomes: tuple[RuleOutcome, ...] = ()
    """Empty while open: counted as if it reached the person."""
    counts_until: datetime | None = None
    """A reservation counts only until its clearance dies."""
    debt_id: str | None = None
    same_number: bool = True
    """Whether it rang the number that is to be called; False: only the person is the same."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """An existing business relationship of the person with a seller."""

    seller_id: str
    last_transaction_at: datetime | None = None
    last_inquiry_at: datetime | None = None
    contract_active: bool = False


@dataclass(frozen=True, kw_only=True)
class ListCopy:
    """What the copy of an external list says of the number."""

    as_of: datetime | None
    """When the copy was taken; None: never fresh."""
    listed: bool


@dataclass(frozen=True, kw_only=True)
class ListInForce:
    """The copy of an external list that look-ups go to."""

    as_of: datetime
    numbers: int
    sha256: str
    source: str
    """Names of the files it was made from."""


@dataclass(frozen=True, kw_only=True)
class Suspension:
    """A declared emergency in a region: no marketing to consumers (RULES.md 5.2)."""

    region: str
    """US-NY."""
    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything `evaluate` may look at."""

    call: Call
    lead: Lead
    consents: tuple[Consent, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    relations: tuple[Relation, ...] = ()
    lists: Mapping[str, ListCopy] = field(default_factory=dict)
    """List id -> what its copy says; an absent list was not consulted."""
    suspensions: tuple[Suspension, ...] = ()
    dependencies_down: frozenset[str] = frozenset()
    """Names of stores that did not answer; any of them blocks (GATE-FAIL-CLOSED)."""
