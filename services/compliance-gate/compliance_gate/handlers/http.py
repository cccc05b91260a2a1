"""HTTP of the gate: keys, opt-outs and suppression files, evidence, ledger export, counts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from compliance_gate.domain.suppression import RowError, read_row, read_sheet
from compliance_gate.handlers import ledger
from compliance_gate.handlers.evidence import evidence_of
from compliance_gate.handlers.suppressions import outlive_grants, put_in_force, store
from compliance_gate.ports import Deps
from outdial_contracts.events import SuppressionChanged
from outdial_runtime.service import Answer, HttpReply, Request

IMPORT_CHUNK = 500


def problem(status: int, title: str, detail: str) -> Answer:
    """An RFC 9457 problem; `detail` names field, shape and rule, never a value."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Answer(reply=HttpReply(status=status, body=body, content_type="application/problem+json"))


async def get_keys(request: Request, deps: Deps) -> Answer:
    """GET /v1/keys: the JWKS that checks clearances and checkpoints."""
    return Answer(reply=HttpReply(body=deps.signer.public_keys()))


async def post_suppressions(request: Request, deps: Deps) -> Answer:
    """POST /v1/suppressions (text/csv): every accepted row is in force when it answers."""
    try:
        text = bytes(request.message).decode("utf-8")
    except UnicodeDecodeError:
        return problem(422, "BAD_ENCODING", "the body must be UTF-8 text/csv")
    sheet = read_sheet(text, request.now, deps.pack.geography)
    stored: list[SuppressionChanged] = []
    for start in range(0, len(sheet.wanted), IMPORT_CHUNK):
        stored += await store(sheet.wanted[start : start + IMPORT_CHUNK], deps)
    await outlive_grants(stored, deps)
    body = {"rows": sheet.rows, "accepted": len(sheet.wanted), "rejected": dict(sheet.rejected)}
    return Answer(reply=HttpReply(body=body))


async def post_opt_out(request: Request, deps: Deps) -> Answer:
    """POST /v1/opt-outs {"phone"|"person_id"|"attempt_id", "seller_id", "source", "suppression_id"}."""
    row = _json_object(request.message)
    if row is None or not all(isinstance(v, str) for v in row.values() if v is not None):
        return problem(422, "BAD_JSON", "the body must be a JSON object whose values are strings")
    try:
        wanted = read_row({k: v.strip() for k, v in row.items() if v is not None}, request.now, deps.pack.geography)
    except RowError as error:
        return problem(422, str(error), "want phone (E.164), person_id or attempt_id; source is a SuppressionSource")
    in_force = await put_in_force([wanted], deps)
    if not in_force:
        return problem(404, "UNKNOWN_ATTEMPT", "attempt_id: the gate never decided such an offer")
    change = in_force[0]
    body = {"suppression_id": change.suppression_id, "in_force_since": change.changed_at.isoformat()}
    return Answer(reply=HttpReply(body=body))


async def get_evidence(request: Request, deps: Deps) -> Answer:
    """GET /v1/evidence/{attempt_id}: why an offer was cleared or blocked, and what became of it."""
    found = await evidence_of(request.path["attempt_id"], deps)
    if found is None:
        return problem(404, "UNKNOWN_ATTEMPT", "attempt_id: the gate never decided such an offer")
    return Answer(reply=HttpReply(body=found))


async def get_export(request: Request, deps: Deps) -> Answer:
    """GET /v1/ledger/export: JSON lines for `compliance-gate ledger verify`, sent as they are read."""
    lines = ledger.export(deps)
    first = await anext(lines)  # a store that is away is a 503, not a body that breaks off
    return Answer(reply=HttpReply(body=_resumed(first, lines), content_type="application/jsonl"))


async def _resumed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def get_stats(request: Request, deps: Deps) -> Answer:
    """GET /v1/stats: counts, rule pack, time zones and chains of this boot."""
    body: Mapping[str, Any] = {
        **await deps.store.counts(),
        "rule_pack": deps.pack.version,
        "tzdata": deps.pack.tzdata,
        "key_id": deps.signer.key_id,
        "chains": {chain.value: chain_id for chain, chain_id in deps.chains.items()},
        "clock_shifted": deps.clock.shifted,
    }
    return Answer(reply=HttpReply(body=body))


def _json_object(body: Any) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
