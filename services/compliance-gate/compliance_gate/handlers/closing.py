"""The one clearance.closed of a cleared offer, and its ledger record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from compliance_gate.domain.ledger import Entry, RecordKind
from compliance_gate.ports import Clearance
from outdial_contracts.events import (
    BlockReason,
    CallMode,
    ClearanceClosed,
    CloseOutcome,
    CloseReason,
    ComplianceCleared,
)
from outdial_runtime.outcome import Emit


class NotCleared(Exception):
    """A blocked offer has nothing to close."""


def cleared_answer(clearance: Clearance) -> ComplianceCleared:
    """The compliance.cleared of a clearance.

    Raises:
        NotCleared: it was blocked.
    """
    if not isinstance(clearance.answer, ComplianceCleared):
        raise NotCleared(clearance.offer.attempt_id)
    return clearance.answer


def closed(
    clearance: Clearance,
    outcome: CloseOutcome,
    reason: CloseReason,
    now: datetime,
    *,
    mode: CallMode = CallMode.UNKNOWN,
    ring_timeout_seconds: int = 0,
    block_reasons: Sequence[BlockReason] = (),
    rule_ids: Sequence[str] = (),
    next_allowed_at: datetime | None = None,
    gateway: tuple[str, str] | None = None,
    caller_id: str | None = None,
    route_id: str | None = None,
    ledger_record: str | None = None,
) -> Emit:
    """The event; its ce_id comes from the attempt, so whoever closes it and however often, it is one event.

    Args:
        gateway: gateway_id and boot_id of who redeemed.
    """
    answer = cleared_answer(clearance)
    event = ClearanceClosed(
        attempt_id=answer.attempt_id,
        team_id=answer.team_id,
        campaign_id=answer.campaign_id,
        campaign_version=answer.campaign_version,
        context=answer.context,
        outcome=outcome,
        reason=reason,
        mode=mode,
        ring_timeout_seconds=ring_timeout_seconds,
        closed_at=now,
        block_reasons=tuple(block_reasons),
        rule_ids=tuple(rule_ids),
        next_allowed_at=next_allowed_at,
        gateway_id=gateway[0] if gateway else None,
        boot_id=gateway[1] if gateway else None,
        caller_id=caller_id or None,
        route_id=route_id or None,
        ledger_record=ledger_record,
    )
    return Emit(event=event, cause=f"closed:{answer.attempt_id}")


def close_entry(attempt_id: str, outcome: CloseOutcome, reason: CloseReason, now: datetime) -> Entry:
    """The ledger's word for it."""
    body = {"attempt_id": attempt_id, "outcome": outcome.value, "reason": reason.value, "at": now.isoformat()}
    return Entry(kind=RecordKind.CLOSE, body=body)
