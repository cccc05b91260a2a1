"""clearance.closed, call.progress, call.answered, call.ended, agent.wrapup -> call.disposition (and its webhook)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from disposition.domain.decide import decide
from disposition.domain.payloads import of_disposition
from disposition.domain.record import FOLDS, AttemptRecord, given_up
from disposition.domain.watch import SETTLING_SECONDS, Fate
from disposition.ports import Deps, GateAway, Unit
from outdial_contracts.events import (
    AgentWrapup,
    CallAnswered,
    CallDisposition,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    CloseOutcome,
    GatewayCapacity,
)
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Outcome, Publish, RetryLater
from outdial_runtime.service import Answer, HttpReply, Received, Request, TickInput

EXTENSION_SECONDS = 30.0
TICK_LIMIT = 200


async def on_clearance_closed(message: Received[ClearanceClosed], deps: Deps) -> Outcome:
    """A redemption opens the attempt; other closings are none of ours."""
    if message.event.outcome is not CloseOutcome.REDEEMED:
        return Drop("NOT_REDEEMED")
    return await _fold(message, message.event.attempt_id, deps)


async def on_call_progress(message: Received[CallProgress], deps: Deps) -> Outcome:
    """When the call reached a stage."""
    return await _fold(message, message.event.attempt_id, deps)


async def on_call_answered(message: Received[CallAnswered], deps: Deps) -> Outcome:
    """When it was answered."""
    return await _fold(message, message.event.attempt_id, deps)


async def on_call_ended(message: Received[CallEnded], deps: Deps) -> Outcome:
    """How it ended."""
    return await _fold(message, message.event.attempt_id, deps)


async def on_agent_wrapup(message: Received[AgentWrapup], deps: Deps) -> Outcome:
    """The agent's word, kept also when it comes first; an opt-out is at the gate before anything is published."""
    return await _fold(message, message.event.attempt_id, deps)


async def on_gateway_capacity(message: Received[GatewayCapacity], deps: Deps) -> Outcome:
    """Which attempts live where."""
    deps.watch.heard(message.event, message.now)
    return NOTHING


async def on_deadline_tick(tick: TickInput, deps: Deps) -> Outcome:
    """Closes attempts whose gateway is gone or that nobody will say any more of; leaves by the outbox."""
    if not deps.watch.may_judge(tick.now):
        return NOTHING
    attempt_ids = await deps.store.due(tick.now, TICK_LIMIT)
    settled = tick.now - timedelta(seconds=SETTLING_SECONDS)
    for gateway_id, boot_id in await deps.store.boots():
        if gateway_id is not None and deps.watch.boot_is_gone(gateway_id, boot_id, tick.now):
            attempt_ids += await deps.store.of_boot(gateway_id, boot_id, settled, TICK_LIMIT)
    for attempt_id in dict.fromkeys(attempt_ids):
        async with deps.store.attempt(attempt_id) as unit:
            await _look_after(unit, tick.now, deps)
    return NOTHING


async def on_get_attempt(request: Request, deps: Deps) -> Answer:
    """GET /v1/attempts/{attempt_id}: what is known of it, as JSON."""
    attempt_id = request.path["attempt_id"]
    record = await deps.store.get(attempt_id) if is_uuid(attempt_id) else None
    if record is None:
        problem = {"type": "about:blank", "title": "Not found", "status": 404, "detail": "no such attempt"}
        return Answer(reply=HttpReply(status=404, body=problem, content_type="application/problem+json"))
    return Answer(reply=HttpReply(body=msgspec.to_builtins(record)))


async def _fold(message: Received[Any], attempt_id: str, deps: Deps) -> Outcome:
    """Load, fold, decide, save; a redelivered cause says again exactly what it said."""
    if not is_uuid(attempt_id):
        return DeadLetter("BAD_ATTEMPT_ID", f"attempt_id: {len(attempt_id)} characters that are no UUID")
    deps.watch.read(message.time, message.now)
    async with deps.store.attempt(attempt_id) as unit:
        before = unit.record or AttemptRecord(attempt_id=attempt_id)
        for said in before.said:
            if said.caused_by(message.cause):
                return Publish([said.event])
        ruling = decide(FOLDS[type(message.event)](before, message.event), message.now, message.cause)
        if not await _opted_out(ruling.record, ruling.event, deps):
            return RetryLater("GATE_AWAY")
        if ruling.record != unit.record:
            await unit.save(ruling.record)
        if ruling.event is not None:
            await _tell(unit, ruling.record, ruling.event, message.now)
    return NOTHING if ruling.event is None else Publish([ruling.event])


async def _look_after(unit: Unit, now: datetime, deps: Deps) -> None:
    """One attempt whose time has come: alive, it gets more time; otherwise it is closed."""
    record = unit.record
    if record is None or record.deadline_at is None:
        return
    if record.end is None:
        if deps.watch.fate(record, now) is Fate.ALIVE:
            await unit.save(replace(record, alive_until=now + timedelta(seconds=EXTENSION_SECONDS)))
            return
        record = given_up(record, now)
    cause = f"deadline:{record.attempt_id}"
    ruling = decide(record, now, cause)
    if ruling.event is not None and await _opted_out(ruling.record, ruling.event, deps):
        await unit.save(ruling.record)
        await unit.say(ruling.event, cause)
        await _tell(unit, ruling.record, ruling.event, now)


async def _tell(unit: Unit, record: AttemptRecord, event: CallDisposition, now: datetime) -> None:
    """Queues the webhook; no campaign can have been published under an id that can't be stored."""
    webhook = of_disposition(event, record.suppression_id)
    if webhook.storable:
        await unit.tell(webhook, now)


async def _opted_out(record: AttemptRecord, event: CallDisposition | None, deps: Deps) -> bool:
    """An opt-out about to be published is at the gate, under the id it has there already; False when that is away."""
    if event is None or not event.dnc or record.wrapup is None:
        return True
    try:
        await deps.gate.suppress(record.attempt_id, record.wrapup)
    except GateAway:
        return False
    return True


def is_uuid(text: str) -> bool:
    """In the one spelling that is a key."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
