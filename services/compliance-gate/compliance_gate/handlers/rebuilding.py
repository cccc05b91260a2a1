"""Putting back what the topics know and a restored database does not; each function takes one topic's messages.

Everything here may be repeated, and finds nothing where nothing was lost: a fact is in the database before it is on a
topic. Offers are staged from lead.ready first, because their numbers stand nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from compliance_gate.domain.clearance import State
from compliance_gate.domain.ledger import Entry, RecordKind
from compliance_gate.handlers.budget import count
from compliance_gate.handlers.closing import cleared_answer, closed
from compliance_gate.handlers.known import LOOK_BACK, canonical_offer, distinct, keys_of, told_relations
from compliance_gate.ports import Clearance, Deps, RestoredRedemption, StagedOffer, Transaction
from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallDisposition,
    ClearanceClosed,
    CloseOutcome,
    CloseReason,
    ComplianceBlocked,
    ComplianceCleared,
    LeadReady,
    ReassignedAnswered,
    SuppressionChanged,
    SuspensionChanged,
)
from outdial_runtime.service import Received

STATES = {CloseOutcome.REFUSED: State.REFUSED, CloseOutcome.LAPSED: State.LAPSED}


@dataclass
class Findings:
    """What the database had forgotten."""

    entries: list[Entry] = field(default_factory=list)
    unrestorable: int = 0

    @property
    def lost(self) -> bool:
        """Whether anything was missing: the database is older than the topics."""
        return bool(self.entries or self.unrestorable)

    def note(self, message: Received[Any], what: str, **more: str) -> None:
        """For the ledger."""
        body = {"what": what, "from": place(message), "at": message.now.isoformat(), **more}
        self.entries.append(Entry(kind=RecordKind.RESTORED, body=body))


Taker = Callable[[Transaction, Sequence[Received[Any]], Deps, Findings], Awaitable[None]]


def place(message: Received[Any]) -> str:
    """topic:partition:offset."""
    return f"{message.topic}:{message.partition}:{message.offset}"


async def suppressions(
    tx: Transaction, messages: Sequence[Received[SuppressionChanged]], deps: Deps, findings: Findings
) -> None:
    """suppression.changed: every suppression is in force again."""
    known = await tx.known_suppressions([message.event.suppression_id for message in messages])
    for message in messages:
        await tx.suppress(message.event)
        if message.event.suppression_id not in known:
            findings.note(message, "suppression", suppression_id=message.event.suppression_id)


async def suspensions(
    tx: Transaction, messages: Sequence[Received[SuspensionChanged]], deps: Deps, findings: Findings
) -> None:
    """suspension.changed: every declared emergency stands as it was last said."""
    for message in messages:
        ids = [message.event.suspension_id]
        before = await tx.declared_suspensions(ids)
        if [await tx.set_suspension(message.event)] != list(before):
            findings.note(message, "suspension", suspension_id=message.event.suspension_id)


async def reassigned(
    tx: Transaction, messages: Sequence[Received[ReassignedAnswered]], deps: Deps, findings: Findings
) -> None:
    """reassigned.answered: every answer of the Reassigned Numbers Database is known again."""
    for message in messages:
        if await tx.merge_reassigned(message.event.answers):
            findings.note(message, "reassigned", batch_id=message.event.batch_id)


async def offers(tx: Transaction, messages: Sequence[Received[LeadReady]], deps: Deps, findings: Findings) -> None:
    """lead.ready: staged with their consents until the answer is found; one that nobody has decided comes anyway."""
    known = await tx.standings([message.event.attempt_id for message in messages])
    unknown = [message for message in messages if message.event.attempt_id not in known]
    await tx.stage([StagedOffer(cause=m.cause, offer=canonical_offer(m.event, deps)) for m in unknown])
    await tx.merge_consents(distinct(tuple(c for message in unknown for c in message.event.consents)))
    await tx.merge_relations([told for m in unknown for told in told_relations(m.event, m.now, deps)])


async def answers(
    tx: Transaction,
    messages: Sequence[Received[ComplianceCleared]] | Sequence[Received[ComplianceBlocked]],
    deps: Deps,
    findings: Findings,
) -> None:
    """compliance.cleared, compliance.blocked: the decision stands again; a cleared offer is closed by what follows."""
    attempt_ids = [message.event.attempt_id for message in messages]
    known, staged = await tx.standings(attempt_ids), await tx.staged(attempt_ids)
    restored: dict[str, Clearance] = {}
    for message in messages:
        event = message.event
        if event.attempt_id in known or event.attempt_id in restored:
            continue
        findings.note(message, "decision", attempt_id=event.attempt_id)
        if event.attempt_id in staged:
            restored[event.attempt_id] = _clearance(staged[event.attempt_id], event, place(message), deps)
    await tx.add_clearances(list(restored.values()))


def _clearance(
    staged: StagedOffer, answer: ComplianceCleared | ComplianceBlocked, record_name: str, deps: Deps
) -> Clearance:
    cleared = isinstance(answer, ComplianceCleared)
    return Clearance(
        offer=staged.offer,
        answer=answer,
        cause=staged.cause,
        state=State.RESERVED if cleared else State.BLOCKED,
        keys=keys_of(staged.offer, deps.tokens),
        decided_at=answer.cleared_at if isinstance(answer, ComplianceCleared) else answer.blocked_at,
        expires_at=answer.expires_at if isinstance(answer, ComplianceCleared) else answer.blocked_at,
        record_name=record_name,
    )


async def closings(
    tx: Transaction, messages: Sequence[Received[ClearanceClosed]], deps: Deps, findings: Findings
) -> None:
    """clearance.closed: a redemption counts again and is nobody's to repeat; refused and lapsed offers are closed."""
    known = await tx.lock_clearances([message.event.attempt_id for message in messages])
    standings = {attempt_id: clearance.state for attempt_id, clearance in known.items()}
    redeemed: list[RestoredRedemption] = []
    ended: list[tuple[str, State, datetime]] = []
    for message in messages:
        event, standing = message.event, standings.get(message.event.attempt_id)
        if event.outcome is CloseOutcome.REDEEMED and standing is None:
            findings.unrestorable += event.closed_at > message.now - LOOK_BACK
        elif event.outcome is CloseOutcome.REDEEMED and standing is not State.REDEEMED:
            findings.note(message, "redemption", attempt_id=event.attempt_id)
            name = event.ledger_record or place(message)
            clearance = known[event.attempt_id]
            redeemed.append(
                RestoredRedemption(clearance=clearance, mode=event.mode, at=event.closed_at, record_name=name)
            )
            standings[event.attempt_id] = State.REDEEMED
        elif standing is State.RESERVED and event.outcome in STATES:
            findings.note(message, "closing", attempt_id=event.attempt_id)
            ended.append((event.attempt_id, STATES[event.outcome], event.closed_at))
            standings[event.attempt_id] = STATES[event.outcome]
    await tx.set_states(ended)
    await tx.restore_redemptions(redeemed)


async def dispositions(
    tx: Transaction, messages: Sequence[Received[CallDisposition]], deps: Deps, findings: Findings
) -> None:
    """call.disposition: the outcome for the caps; it also proves a redemption whose closing was lost with the rest."""
    for message in messages:
        event = message.event
        await prove(tx, message, findings)
        if await tx.dispose(event.attempt_id, event.charged, event.rule_outcomes, event.revision):
            await count(tx, event)


async def prove(tx: Transaction, message: Received[CallDisposition], findings: Findings) -> None:
    """Counts an attempt that has an outcome and was not redeemed here, and closes its offer if nobody did."""
    event = message.event
    if await tx.attempt_fact(event.attempt_id) is not None:
        return
    clearance = await tx.clearance(event.attempt_id, lock=True)
    if clearance is None or clearance.state is State.BLOCKED:
        return
    findings.note(message, "redemption", attempt_id=event.attempt_id)
    at, mode = event.redeemed_at or clearance.decided_at, cleared_answer(clearance).allowed_modes[0]
    restored = RestoredRedemption(clearance=clearance, mode=mode, at=at, record_name=place(message))
    await tx.restore_redemptions([restored])
    if clearance.state is State.RESERVED:
        gateway = (event.gateway_id or "", "")
        redeemed = closed(
            clearance,
            CloseOutcome.REDEEMED,
            CloseReason.DIALLED,
            at,
            mode=mode,
            gateway=gateway,
            caller_id=event.caller_id,
            route_id=event.route_id,
        )
        await tx.announce([redeemed])


TAKERS: Mapping[type[Event], Taker] = {
    SuppressionChanged: suppressions,
    SuspensionChanged: suspensions,
    ReassignedAnswered: reassigned,
    LeadReady: offers,
    ComplianceCleared: answers,
    ComplianceBlocked: answers,
    ClearanceClosed: closings,
    CallDisposition: dispositions,
}
"""In the order in which they must be read; attempts are reopened after the last."""
