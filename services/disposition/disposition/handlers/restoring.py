"""What a restored database has forgotten is read back before anything is judged: no revision is said in two ways.

Inputs are folded first, without a decision: one that was committed had its consequence, which is on call.disposition;
one that was not comes again and is decided then. Then every revision that readers have is kept as said, word for word,
and its webhook is queued again under the id it had. What is still open after that is the deadlines' business, as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from disposition.domain.payloads import of_disposition
from disposition.domain.record import FOLDS, AttemptRecord, with_said
from disposition.handlers.attempts import is_uuid
from disposition.handlers.webhooks import on_lead_state, on_suppression_changed
from disposition.ports import Deps
from outdial_contracts.base import Event
from outdial_contracts.events import CallDisposition, DispositionCode, LeadState, SuppressionChanged
from outdial_runtime.outcome import Outcome
from outdial_runtime.reading_back import Rereading, Taker
from outdial_runtime.service import Received, TickInput

WRITTEN: Sequence[type[Event]] = (CallDisposition,)
TOLD_AGAIN = timedelta(days=7)
"""A webhook older than this was delivered or given up (three days of tries): it is not queued anew."""
SETTLING_SECONDS = 12.0
"""Longer than a transaction that another replica left open (10 s): until it ends it hides what lies behind it."""


async def watch_restore(tick: TickInput, deps: Deps) -> Outcome:
    """At the start: reads back. Then: marks. Gateways get their time to be heard after it."""
    waited = not deps.guard.verified
    outcome = await REREADING.turn(deps)
    if waited and deps.guard.verified:
        deps.watch.since = tick.now
    return outcome


async def on_input_read_back(message: Received[Any], deps: Deps) -> None:
    """What happened, folded and not judged. Dead letters were made of what can't be an attempt."""
    attempt_id = message.event.attempt_id
    if not is_uuid(attempt_id):
        return
    async with deps.store.attempt(attempt_id) as unit:
        before = unit.record or AttemptRecord(attempt_id=attempt_id)
        after = FOLDS[type(message.event)](before, message.event)
        if after != before:
            await unit.save(after)


async def on_disposition_read_back(message: Received[CallDisposition], deps: Deps) -> None:
    """Readers have this revision: it is never said in other words."""
    event = message.event
    async with deps.store.attempt(event.attempt_id) as unit:
        before = unit.record or AttemptRecord(attempt_id=event.attempt_id)
        after = with_said(before, event, message.cause)
        if after is not before:
            deps.guard.restored = True
            await unit.save(after)
        webhook = of_disposition(event, _suppression_id(after))
        if webhook.storable and _is_told_again(message):
            await unit.tell(webhook, message.now)


async def on_lead_state_read_back(message: Received[LeadState], deps: Deps) -> None:
    """Its webhook."""
    if _is_told_again(message):
        await on_lead_state(message, deps)


async def on_suppression_read_back(message: Received[SuppressionChanged], deps: Deps) -> None:
    """Its webhooks."""
    if _is_told_again(message):
        await on_suppression_changed(message, deps)


def _suppression_id(record: AttemptRecord) -> str | None:
    """None where the agent's later word says nothing of the opt-out, or where his words are not kept any more."""
    if record.wrapup is None or record.wrapup.code is not DispositionCode.DNC_REQUESTED:
        return None
    return record.suppression_id


def _is_told_again(message: Received[Any]) -> bool:
    return message.time > message.now - TOLD_AGAIN


TAKERS: Mapping[type[Event], Taker] = {
    **dict.fromkeys(FOLDS, on_input_read_back),
    CallDisposition: on_disposition_read_back,
    LeadState: on_lead_state_read_back,
    SuppressionChanged: on_suppression_read_back,
}
"""In the order of reading back. campaign.published is read whole at every start, before this."""
REREADING = Rereading(takers=TAKERS, written=WRITTEN, settling_seconds=SETTLING_SECONDS)
