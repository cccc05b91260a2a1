"""The operator's word on a restore: the lock by hand, and the answer for what can't be put back."""

from __future__ import annotations

import asyncpg

from compliance_gate.adapters.postgres import lock_key
from compliance_gate.adapters.postgres_restore import RestoringTransaction
from compliance_gate.domain.restore import MARKS_LOCK, OPERATOR, RestoreLock


class NoSuchLock(ValueError):
    """There is no loss to accept; the text says what there is."""


async def say_restored(dsn: str, *, accept_loss: bool) -> RestoreLock:
    """Locks every replica at once and has the topics read again from their beginnings; or accepts the loss.

    Nothing opens the gate by hand: it opens after one clearance lifetime, when the topics were read.

    Raises:
        NoSuchLock: the loss is to be accepted of a gate that has none.
        OSError, asyncpg.PostgresError: the database does not answer.
    """
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key(MARKS_LOCK))
            tx = RestoringTransaction(connection)
            lock = await tx.restore_lock()
            if accept_loss:
                lock = _accepted(lock)
            else:
                await tx.forget_marks()
                lock = lock or RestoreLock(locked_at=None, reason=OPERATOR)
            await tx.set_restore_lock(lock)
    finally:
        await connection.close()
    return lock


def _accepted(lock: RestoreLock | None) -> RestoreLock:
    if lock is None:
        raise NoSuchLock("the gate is not locked by a restore")
    if not lock.unrestorable:
        raise NoSuchLock("nothing was lost: the lock opens by itself")
    return lock.accept()
