"""Rows of the gate's tables to values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compliance_gate.domain.clearance import State
from compliance_gate.domain.facts import Attempt
from compliance_gate.domain.ledger import Checkpoint, Entry, Record, RecordKind
from compliance_gate.ports import Clearance, Keys, Redemption
from outdial_contracts import codec
from outdial_contracts.events import (
    BlockReason,
    CallMode,
    ComplianceBlocked,
    ComplianceCleared,
    Consent,
    ConsentLevel,
    LeadReady,
    Purpose,
    RuleOutcome,
)

CLEARANCE_COLUMNS = (
    *("attempt_id", "cause", "state", "campaign_id", "seller_id", "topic_id", "purpose", "person_key", "number_key"),
    *("offer", "answer", "record_name", "decided_at", "expires_at", "debt_id"),
)
Row = Mapping[str, Any]


class CorruptRow(Exception):
    """A stored event is not what its column holds; the text names the table."""


def clearance_of(row: Row) -> Clearance:
    """A row of clearances.

    Raises:
        CorruptRow: the stored bytes are another event.
    """
    state = State(row["state"])
    blocked = state is State.BLOCKED
    offer = codec.decode(row["offer"], LeadReady.TOPIC)
    answer = codec.decode(row["answer"], ComplianceBlocked.TOPIC if blocked else ComplianceCleared.TOPIC)
    if not isinstance(offer, LeadReady) or not isinstance(answer, ComplianceCleared | ComplianceBlocked):
        raise CorruptRow("clearances")
    return Clearance(
        offer=offer,
        answer=answer,
        cause=row["cause"],
        state=state,
        keys=Keys(person=row["person_key"], number=row["number_key"]),
        decided_at=row["decided_at"],
        expires_at=row["expires_at"],
        record_name=row["record_name"],
        closed_at=row["closed_at"],
    )


def clearance_row(clearance: Clearance) -> tuple[Any, ...]:
    """CLEARANCE_COLUMNS of a new row."""
    offer = clearance.offer
    named = (offer.campaign_id, offer.seller_id, offer.topic_id, offer.purpose.value)
    keys = (clearance.keys.person, clearance.keys.number)
    events = (codec.encode(offer), codec.encode(clearance.answer))
    decided = (clearance.record_name, clearance.decided_at, clearance.expires_at)
    return (offer.attempt_id, clearance.cause, clearance.state.value, *named, *keys, *events, *decided, offer.debt_id)


def redemption_of(row: Row) -> Redemption:
    """A row of redemptions."""
    return Redemption(
        leg_no=row["leg_no"],
        nonce_hash=bytes(row["nonce_hash"]),
        granted=row["granted"],
        reasons=tuple(BlockReason(r) for r in row["reasons"]),
        rule_ids=tuple(row["rule_ids"]),
        next_allowed_at=row["next_allowed_at"],
        record_name=row["record_name"],
        answered_at=row["answered_at"],
    )


def attempt_of(row: Row) -> Attempt:
    """A row of the attempts query: an attempt, or a reservation with counts_until."""
    return Attempt(
        attempt_id=row["attempt_id"],
        at=row["at"],
        seller_id=row["seller_id"],
        topic_id=row["topic_id"],
        purpose=Purpose(row["purpose"]),
        mode=CallMode(row["mode"]),
        outcomes=tuple(RuleOutcome(o) for o in row["outcomes"]),
        counts_until=row["counts_until"],
        debt_id=row["debt_id"],
    )


def consent_row(consent: Consent) -> tuple[Any, ...]:
    """The columns of consents, in their order."""
    c = consent
    proof = (c.source, c.captured_at, c.ip, c.text_sha256, c.signature_ref)
    times = (c.granted_at, c.expires_at, c.revoked_at)
    return (c.consent_id, c.seller_id, c.purpose, c.channel, c.level.value, *times, *proof)


def consent_of(row: Row) -> Consent:
    """A row of consents."""
    return Consent(**{**dict(row), "level": ConsentLevel(row["level"])})


def record_columns(record: Record, entry: Entry) -> tuple[Any, ...]:
    """The columns of a new row of ledger_records after chain and number; the last is the attempt it is about."""
    return (record.previous, record.kind.value, record.body, record.hash, entry.body.get("attempt_id"))


def record_of(row: Row) -> Record:
    """A row of ledger_records."""
    return Record(
        chain_id=row["chain_id"],
        seq=row["seq"],
        previous=row["previous"],
        kind=RecordKind(row["kind"]),
        body=row["body"],
        hash=row["hash"],
    )


def checkpoint_of(row: Row) -> Checkpoint:
    """A row of checkpoints."""
    names = ("chain_id", "seq", "head", "root", "signature")
    return Checkpoint(**{name: row[name] for name in names})


def page_items(row: Row) -> tuple[Record | Checkpoint, ...]:
    """A row of the page query: a record and, where one was signed there, its checkpoint."""
    record = record_of(row)
    if row["signature"] is None:
        return (record,)
    signed = Checkpoint(
        chain_id=record.chain_id,
        seq=record.seq,
        head=row["signed_head"],
        root=row["root"],
        signature=row["signature"],
    )
    return record, signed
