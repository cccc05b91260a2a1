"""The watch over the database's age: marks while all is well, the restore lock and the rebuilding when it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.domain.restore import MARKS_LOCK, RestoreLock, lost_heads
from compliance_gate.handlers.rebuilding import TAKERS, Findings
from compliance_gate.handlers.suppressions import on_suppression_submitted
from compliance_gate.ports import Deps, Store, StoreTorn, Transaction, Unstorable
from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallDisposition,
    ClearanceClosed,
    ComplianceBlocked,
    ComplianceCleared,
    ComplianceLedger,
    LeadReady,
    ReassignedAnswered,
    SuppressionChanged,
    SuppressionSubmitted,
    SuspensionChanged,
)
from outdial_runtime.broker import TopicPartition
from outdial_runtime.outcome import NOTHING, Drop, Outcome
from outdial_runtime.past import TopicPast, moved, read_on
from outdial_runtime.service import Received, TickInput

CONSUMED: Sequence[type[Event]] = (SuppressionSubmitted, LeadReady, CallDisposition)
WRITTEN: Sequence[type[Event]] = (
    *(SuppressionChanged, SuspensionChanged, ReassignedAnswered),
    *(ComplianceCleared, ComplianceBlocked, ClearanceClosed),
)
REPLAYED: Sequence[type[Event]] = (SuppressionSubmitted, *TAKERS)
BY_TOPIC = {event.TOPIC: taker for event, taker in TAKERS.items()}
MARK_EVERY_SECONDS = 15.0
CHUNKS_PER_TURN = 8


def not_ready_because(deps: Deps) -> str | None:
    """For /readyz."""
    if deps.guard.torn:
        return "the database went back in time; this process ends"
    if not deps.guard.verified:
        return "restore check: the topics are read from the database's marks to their ends"
    lock = deps.guard.lock
    return lock.sentence(deps.live.longest_lifetime_seconds()) if lock else None


async def watch_restore(tick: TickInput, deps: Deps) -> Outcome:
    """Reads back at the start; marks while the gate is open; rebuilds and in the end opens it while it is locked.

    Raises:
        StoreTorn: the database was restored while this process ran; the next boot finds out what is missing.
    """
    guard = deps.guard
    if guard.torn:
        raise StoreTorn("this boot's ledger chain is shorter than it was")
    if deps.past is None:
        return NOTHING
    if guard.verified:
        async with deps.store.transaction() as tx:
            guard.lock = await tx.restore_lock()
    if not guard.verified or guard.lock is not None:
        return await _rebuild(deps, deps.past)
    if deps.clock.monotonic() - guard.marked_at >= MARK_EVERY_SECONDS:
        guard.marked_at = deps.clock.monotonic()
        await _mark(deps, deps.past)
    return NOTHING


async def _mark(deps: Deps, past: TopicPast) -> None:
    """Saves the positions of the time before, once every checkpoint that was published since is in the database.

    So a mark is never past something that a replica's database had lost and that its checkpoint would have told.
    """
    due, deps.guard.positions = deps.guard.positions, await past.positions(CONSUMED, WRITTEN)
    lost, ledger_marks = await lost_chains(deps.store, past)
    if lost:
        deps.guard.torn = True
        return
    async with deps.store.transaction() as tx:
        await tx.lock([MARKS_LOCK])
        if await tx.restore_lock() is None:
            await tx.save_marks(moved(await tx.marks(), {**due, **ledger_marks}))


async def lost_chains(
    store: Store, past: TopicPast
) -> tuple[Mapping[str, tuple[int, str]], Mapping[TopicPartition, int]]:
    """Checkpoints on compliance.ledger that the store does not hold (chain -> length, head), and marks after them."""
    async with store.transaction() as tx:
        marks = await tx.marks()
    events, after = [], {}
    for source in await past.ends([ComplianceLedger]):
        at_end, after[source] = False, marks.get(source, 0)
        while not at_end:
            chunk = await past.read(source, after[source])
            events += [received.event for received in chunk.events]
            at_end, after[source] = chunk.at_end, chunk.after
    known = await store.checkpoints(sorted({event.chain_id for event in events})) if events else ()
    return lost_heads(events, known), after


async def record_lost(lost: Mapping[str, tuple[int, str]], after: Mapping[TopicPartition, int], deps: Deps) -> None:
    """Locks the gate at its start for chains that its database does not hold; the marks move with the lock."""
    now = deps.clock.now()
    heads = [
        Entry(
            kind=RecordKind.RESTORED,
            body={"what": "chain lost", "chain_id": chain, "seq": seq, "head": head, "at": now.isoformat()},
        )
        for chain, (seq, head) in sorted(lost.items())
    ]
    async with deps.store.transaction() as tx:
        await tx.save_marks(after)
        if heads:
            await record(tx, Findings(entries=heads), "compliance.ledger knows longer chains", deps)


async def _rebuild(deps: Deps, past: TopicPast) -> Outcome:
    guard = deps.guard
    async with deps.store.transaction() as tx:
        marks = dict(await tx.marks())
    if not await read_on(past, REPLAYED, marks, partial(_take, deps), CHUNKS_PER_TURN):
        return Drop("RESTORE_REPLAYING")
    async with deps.store.transaction() as tx:
        await tx.unstage()
        lock = await tx.restore_lock()
        if lock is not None:
            await tx.reopen_attempts()
            lock = await _look_at(tx, lock, deps)
    guard.verified, guard.lock = True, lock
    return NOTHING if lock is None else Drop("RESTORE_LOCKED")


async def _look_at(tx: Transaction, lock: RestoreLock, deps: Deps) -> RestoreLock | None:
    """Everything was read: the lock goes when its time has come; an operator's lock begins when it is first seen."""
    now = deps.clock.now()
    if lock.locked_at is None:
        lock = replace(lock, locked_at=now)
        await tx.set_restore_lock(lock)
        await tx.append(Chain.REDEMPTIONS, [_entry(RecordKind.RESTORE_LOCK, lock, now)])
    elif lock.may_open(now, deps.live.longest_lifetime_seconds()):
        await tx.set_restore_lock(None)
        await tx.append(Chain.REDEMPTIONS, [_entry(RecordKind.RESTORE_UNLOCK, lock, now)])
        return None
    return lock


async def _take(deps: Deps, messages: Sequence[Received[Any]], source: TopicPartition, after: int) -> bool:
    """Puts back what is missing of some messages; one that no text column can hold was never taken and is left out."""
    try:
        await _take_all(deps, messages, source, after)
    except Unstorable:
        if len(messages) > 1:
            for message in messages:
                await _take(deps, [message], source, message.offset + 1)
        async with deps.store.transaction() as tx:
            await tx.save_marks({source: after})
    return True


async def _take_all(deps: Deps, messages: Sequence[Received[Any]], source: TopicPartition, after: int) -> None:
    if source.topic == SuppressionSubmitted.TOPIC:
        await _submit_again(deps, messages)
    async with deps.store.transaction() as tx:
        findings = Findings()
        if source.topic in BY_TOPIC:
            await BY_TOPIC[source.topic](tx, messages, deps, findings)
        await tx.save_marks({source: after})
        if findings.lost:
            await record(tx, findings, f"{source.topic} says more than it", deps)


async def _submit_again(deps: Deps, messages: Sequence[Received[SuppressionSubmitted]]) -> None:
    async with deps.store.transaction() as tx:
        known = await tx.known_suppressions([message.event.suppression_id for message in messages])
    for message in messages:
        if message.event.suppression_id not in known:
            await on_suppression_submitted(message, deps)


async def record(tx: Transaction, findings: Findings, reason: str, deps: Deps) -> None:
    """Locks the gate, in the transaction that found something missing, and writes it down. The last thing in it."""
    now = deps.clock.now()
    before = await tx.restore_lock()
    lock = (before or RestoreLock(locked_at=now, reason=reason)).found(
        now, len(findings.entries), findings.unrestorable
    )
    await tx.set_restore_lock(lock)
    locking = [] if before and before.locked_at else [_entry(RecordKind.RESTORE_LOCK, lock, now)]
    await tx.append(Chain.REDEMPTIONS, [*locking, *findings.entries])
    deps.guard.lock = lock


def _entry(kind: RecordKind, lock: RestoreLock, now: datetime) -> Entry:
    body = {
        "reason": lock.reason,
        "restored": lock.restored,
        "unrestorable": lock.unrestorable,
        "accepted": lock.accepted,
        "at": now.isoformat(),
    }
    return Entry(kind=kind, body=body)
