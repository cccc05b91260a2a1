"""clearance.closed, call.progress, call.answered, call.ended, agent.wrapup -> call.disposition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from disposition.domain.decide import decide, disposition_of
from disposition.domain.record import (
    AttemptRecord,
    Head,
    given_up,
    with_answered,
    with_closed,
    with_ended,
    with_progress,
    with_wrapup,
)
from disposition.domain.watch import Fate
from disposition.ports import Deps, GateAway, Unit
from outdial_contracts.events import (
    AgentWrapup,
    CallAnswered,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    CloseOutcome,
    Context,
    DispositionCode,
    GatewayCapacity,
)
from outdial_runtime.outcome import NOTHING, Drop, Outcome, Publish, RetryLater
from outdial_runtime.service import Answer, HttpReply, Received, Request, TickInput

EXTENSION_SECONDS = 30.0
TICK_LIMIT = 200


class _OfAttempt(Protocol):
    @property
    def attempt_id(self) -> str: ...
    @property
    def team_id(self) -> str: ...
    @property
    def campaign_id(self) -> str: ...
    @property
    def campaign_version(self) -> int: ...
    @property
    def context(self) -> Context: ...


async def on_clearance_closed(message: Received[ClearanceClosed], deps: Deps) -> Outcome:
    """A redemption opens the attempt; other closings are none of ours."""
    event = message.event
    if event.outcome is not CloseOutcome.REDEEMED:
        return Drop("NOT_REDEEMED")
    return await _fold(message.cause, _head(event), lambda r: with_closed(r, event), deps)


async def on_call_progress(message: Received[CallProgress], deps: Deps) -> Outcome:
    """When the call reached a stage."""
    event = message.event
    return await _fold(message.cause, _head(event), lambda r: with_progress(r, event), deps)


async def on_call_answered(message: Received[CallAnswered], deps: Deps) -> Outcome:
    """When it was answered."""
    event = message.event
    return await _fold(message.cause, _head(event), lambda r: with_answered(r, event), deps)


async def on_call_ended(message: Received[CallEnded], deps: Deps) -> Outcome:
    """How it ended."""
    event = message.event
    return await _fold(message.cause, _head(event), lambda r: with_ended(r, event), deps)


async def on_agent_wrapup(message: Received[AgentWrapup], deps: Deps) -> Outcome:
    """The agent's word; an opt-out is at the gate before anything is published."""
    event = message.event
    known = await deps.store.get(event.attempt_id)
    if known is None:
        return RetryLater("ATTEMPT_NOT_SEEN_YET", after_seconds=1.0)
    return await _fold(message.cause, known.head, lambda r: with_wrapup(r, event), deps)


async def on_gateway_capacity(message: Received[GatewayCapacity], deps: Deps) -> Outcome:
    """Which attempts live where."""
    deps.watch.heard(message.event)
    return NOTHING


async def on_deadline_tick(tick: TickInput, deps: Deps) -> Outcome:
    """Closes attempts whose gateway is gone or that nobody will say any more of; leaves by the outbox."""
    gone = [r.head.attempt_id for r in await deps.store.unsaid(TICK_LIMIT) if deps.watch.fate(r, tick.now) is Fate.GONE]
    for attempt_id in dict.fromkeys([*gone, *await deps.store.due(tick.now, TICK_LIMIT)]):
        async with deps.store.attempt(attempt_id) as unit:
            await _look_after(unit, tick.now, deps)
    return NOTHING


async def on_get_attempt(request: Request, deps: Deps) -> Answer:
    """GET /v1/attempts/{attempt_id}: what is known of it, as JSON."""
    record = await deps.store.get(request.path["attempt_id"])
    if record is None:
        problem = {"type": "about:blank", "title": "Not found", "status": 404, "detail": "no such attempt"}
        return Answer(reply=HttpReply(status=404, body=problem, content_type="application/problem+json"))
    return Answer(reply=HttpReply(body=msgspec.to_builtins(record)))


async def _fold(cause: str, head: Head, fold: Callable[[AttemptRecord], AttemptRecord], deps: Deps) -> Outcome:
    """Load, fold, decide, save; a redelivered cause says again what it said."""
    now = deps.clock.now()
    async with deps.store.attempt(head.attempt_id) as unit:
        before = unit.record or AttemptRecord(head=head)
        if before.cause == cause:
            return Publish([disposition_of(before)])
        ruling = decide(fold(before), now, cause)
        if ruling.speak and ruling.record.said_code is DispositionCode.DNC_REQUESTED:
            try:
                await deps.gate.suppress(ruling.record, now)
            except GateAway:
                return RetryLater("GATE_AWAY", after_seconds=1.0)
        if ruling.record != unit.record:
            await unit.save(ruling.record)
    return Publish([disposition_of(ruling.record)]) if ruling.speak else NOTHING


async def _look_after(unit: Unit, now: datetime, deps: Deps) -> None:
    """One attempt whose time has come: alive, it gets more time; otherwise it is closed."""
    record = unit.record
    if record is None:
        return
    if record.end is None:
        if deps.watch.fate(record, now) is Fate.ALIVE:
            later = now + timedelta(seconds=EXTENSION_SECONDS)
            await unit.save(replace(record, deadline_at=later))
            return
        record = given_up(record, now)
    ruling = decide(record, now, f"deadline:{record.head.attempt_id}:{record.revision + 1}")
    await unit.save(ruling.record)
    if ruling.speak:
        await unit.say(disposition_of(ruling.record), f"deadline:{record.head.attempt_id}")


def _head(event: _OfAttempt) -> Head:
    return Head(
        attempt_id=event.attempt_id,
        team_id=event.team_id,
        campaign_id=event.campaign_id,
        campaign_version=event.campaign_version,
        context=event.context,
    )
