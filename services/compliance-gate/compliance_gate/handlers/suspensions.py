"""Declared states of emergency: declared, lifted and listed over HTTP; every decision reads them from the database.

A change is durable when it is answered: whatever is decided or redeemed after that sees it, on every replica. It also
leaves as suspension.changed, from where a restored database learns it again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from compliance_gate.domain.ledger import Chain, Entry, RecordKind, canonical
from compliance_gate.domain.suspensions import SuspensionError, declaration, lifting
from compliance_gate.handlers.http import problem
from compliance_gate.ports import Deps, Transaction
from outdial_contracts.events import SuspensionChanged
from outdial_contracts.headers import CE_NAMESPACE
from outdial_runtime.outcome import Emit
from outdial_runtime.service import Answer, HttpReply, Request


async def post_suspension(request: Request, deps: Deps) -> Answer:
    """POST /v1/suspensions {"region", "source", "entered_by", "starts_at", "ends_at", "suspension_id"}.

    The same suspension_id with the same words again changes nothing; with other words it is refused.
    """
    now = deps.clock.now()
    try:
        body = _object(request.message)
        wanted = declaration(body, _new_id(body, now), now, deps.pack)
    except SuspensionError as error:
        return problem(422, "BAD_SUSPENSION", str(error))
    async with deps.store.transaction() as tx:
        await tx.lock([f"suspension:{wanted.suspension_id}"])
        known = await tx.declared_suspensions([wanted.suspension_id])
        if known and not _repeats(wanted, known[0], body):
            return problem(409, "DECLARED_ALREADY", "suspension_id: it was declared in other words, or lifted since")
        stored = known[0] if known else await _store(tx, wanted)
    return Answer(reply=HttpReply(body=_shown(stored)))


async def post_lift(request: Request, deps: Deps) -> Answer:
    """POST /v1/suspensions/{suspension_id}/lift {"lifted_by", "ends_at"}: over from ends_at, or from now."""
    async with deps.store.transaction() as tx:
        suspension_id = request.path["suspension_id"]
        await tx.lock([f"suspension:{suspension_id}"])
        found = await tx.declared_suspensions([suspension_id])
        if not found:
            return problem(404, "UNKNOWN_SUSPENSION", "suspension_id: no such declaration")
        try:
            wanted = lifting(found[0], _object(request.message), deps.clock.now())
        except SuspensionError as error:
            return problem(422, "BAD_SUSPENSION", str(error))
        stored = await _store(tx, wanted)
    return Answer(reply=HttpReply(body=_shown(stored)))


async def get_suspensions(request: Request, deps: Deps) -> Answer:
    """GET /v1/suspensions: everything that was ever declared, and whether it is in force now."""
    now = deps.clock.now()
    async with deps.store.transaction() as tx:
        found = await tx.declared_suspensions()
    rows = [{**_shown(one), "in_force": _is_in_force(one, now)} for one in found]
    return Answer(reply=HttpReply(body={"suspensions": rows}))


async def _store(tx: Transaction, wanted: SuspensionChanged) -> SuspensionChanged:
    stored = await tx.set_suspension(wanted)
    cause = f"suspension:{stored.suspension_id}:{stored.changed_at.isoformat()}"
    await tx.announce([Emit(event=stored, cause=cause)])
    await tx.append(Chain.DECISIONS, [Entry(kind=RecordKind.SUSPENSION, body=_shown(stored))])
    return stored


def _object(body: Any) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SuspensionError("the body must be a JSON object")
    return value


def _new_id(body: Mapping[str, Any], now: datetime) -> str:
    """Of a declaration that brought none; two of one instant and the same words are one."""
    return str(uuid.uuid5(CE_NAMESPACE, f"suspension:{canonical(body)}:{now.isoformat()}"))


def _repeats(wanted: SuspensionChanged, known: SuspensionChanged, body: Mapping[str, Any]) -> bool:
    starts_at = wanted.starts_at if body.get("starts_at") is not None else known.starts_at
    return replace(wanted, starts_at=starts_at, changed_at=known.changed_at) == known


def _shown(one: SuspensionChanged) -> dict[str, Any]:
    times = {"starts_at": one.starts_at, "ends_at": one.ends_at, "changed_at": one.changed_at}
    return {
        **{name: getattr(one, name) for name in ("suspension_id", "region", "source", "entered_by", "changed_by")},
        **{name: time.isoformat() if time is not None else None for name, time in times.items()},
    }


def _is_in_force(one: SuspensionChanged, now: datetime) -> bool:
    return one.starts_at <= now and (one.ends_at is None or now < one.ends_at)
