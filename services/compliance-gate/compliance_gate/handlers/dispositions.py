"""call.disposition -> the open attempt becomes a fact for the caps and the drop rate, or is released when undialled."""

from __future__ import annotations

from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.handlers.budget import count
from compliance_gate.handlers.rebuilding import Findings, prove
from compliance_gate.handlers.restoring import record
from compliance_gate.ports import Deps
from outdial_contracts.events import CallDisposition
from outdial_runtime.outcome import NOTHING, Drop, Outcome
from outdial_runtime.service import Received


async def on_call_disposition(message: Received[CallDisposition], deps: Deps) -> Outcome:
    """Records the outcome in the rule pack's words; a later revision replaces an earlier one, never the reverse."""
    event = message.event
    async with deps.store.transaction() as tx:
        findings = Findings()
        await prove(tx, message, findings)
        if not await tx.dispose(event.attempt_id, event.charged, event.rule_outcomes, event.revision):
            return Drop("UNKNOWN_ATTEMPT_OR_OLD_REVISION")
        await count(tx, event)
        if findings.lost:
            await record(tx, findings, "an attempt ended that it never redeemed", deps)
        await tx.append(Chain.REDEMPTIONS, [_entry(event)])
    return NOTHING


def _entry(event: CallDisposition) -> Entry:
    body = {
        "attempt_id": event.attempt_id,
        "code": event.code.value,
        "revision": event.revision,
        "charged": event.charged,
        "rule_outcomes": [outcome.value for outcome in event.rule_outcomes],
        "at": event.disposed_at.isoformat(),
    }
    return Entry(kind=RecordKind.DISPOSITION, body=body)
