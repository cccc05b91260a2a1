"""What a run of races leaves behind: what the clients saw, and what database, ledger and topics say at the end.

All times are seconds of CLOCK_MONOTONIC, which every process of a machine shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Race(StrEnum):
    """The three races."""

    FIFTY = "fifty redeemers"
    CAMPAIGNS = "eight campaigns"
    OPT_OUTS = "opt-outs"


class Result(StrEnum):
    """What a redeemer was told."""

    GRANTED = "granted"
    REFUSED = "refused"
    ALREADY_REDEEMED = "already_redeemed"
    NOT_GRANTED = "not_granted"
    """Refused or already redeemed: a gateway does not ask which."""
    UNANSWERED = "unanswered"


@dataclass(frozen=True, kw_only=True)
class Offered:
    """An offer that was sent to the gate, and what binds it."""

    attempt_id: str
    race: Race
    campaign_id: str
    seller_id: str
    topic_id: str
    person: str
    number: str
    cap: int
    """Most charged attempts of the person or the number for this seller and topic."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One redeemer's answer, after as many tries as it took; a repeat of the same nonce is an answer of its own."""

    attempt_id: str
    nonce: str
    asked_at: float
    answered_at: float
    result: Result
    reasons: tuple[str, ...] = ()
    record: str = ""
    """Ledger record of a grant; empty where the client does not learn it."""
    tries: int = 1


@dataclass(frozen=True, kw_only=True)
class Invited:
    """A simulated INVITE."""

    attempt_id: str
    at: float


@dataclass(frozen=True, kw_only=True)
class OptOut:
    """A suppression, asked for until it was acknowledged."""

    suppression_id: str
    how: str
    persons: frozenset[str]
    numbers: frozenset[str]
    asked_at: float
    acknowledged_at: float | None
    tries: int = 1


@dataclass(frozen=True, kw_only=True)
class Disposed:
    """A call.disposition that a client sent; `at` is before it was sent."""

    attempt_id: str
    at: float
    charged: bool


@dataclass(frozen=True, kw_only=True)
class Redemption:
    """A row of the gate's redemptions."""

    attempt_id: str
    granted: bool
    record: str
    at: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Closed:
    """A record of clearance.closed."""

    attempt_id: str
    outcome: str
    ce_id: str


@dataclass(kw_only=True)
class History:
    """Of one run."""

    offered: dict[str, Offered] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    invited: list[Invited] = field(default_factory=list)
    opt_outs: list[OptOut] = field(default_factory=list)
    disposed: list[Disposed] = field(default_factory=list)
    failed_inside: list[str] = field(default_factory=list)
    """Requests that ended as neither an answer nor "away": a fault of the gate's own."""
    faults: list[str] = field(default_factory=list)
    """What was killed, in order."""

    states: Mapping[str, str] = field(default_factory=dict)
    """attempt_id -> state of the row of clearances."""
    redemptions: list[Redemption] = field(default_factory=list)
    charged: Mapping[str, bool] = field(default_factory=dict)
    """attempt_id -> whether the row of attempts counts in caps."""
    suppressions: frozenset[str] = frozenset()
    """suppression_ids in the database."""
    ledger: Mapping[str, str] = field(default_factory=dict)
    """Name of every REDEMPTION record -> its attempt_id."""
    ledger_failure: str = ""
    """What the offline verifier says of the exported ledger; empty: it holds."""
    cleared: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    """attempt_ids on compliance.cleared and compliance.blocked."""
    closed: list[Closed] = field(default_factory=list)
