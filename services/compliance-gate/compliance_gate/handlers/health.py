"""GET /v1/health: which part is shut, for a person; /readyz is for whoever routes requests."""

from __future__ import annotations

from dataclasses import asdict

from compliance_gate.domain.health import (
    Part,
    PartState,
    database_part,
    ledger_part,
    lists_part,
    restore_part,
    stops_part,
)
from compliance_gate.handlers.restoring import not_ready_because
from compliance_gate.ports import Deps, StoreUnavailable
from outdial_runtime.service import Answer, HttpReply, Request


async def get_health(request: Request, deps: Deps) -> Answer:
    """{open, parts: [{name, state, why, stops}]}; answered also while everything is shut."""
    parts = [
        restore_part(not_ready_because(deps)),
        *await _stored(deps),
        lists_part(deps.pack.lists, deps.lists.in_force(), request.now),
        stops_part(deps.live.pressed()),
    ]
    is_open = all(part.state is not PartState.SHUT for part in parts)
    return Answer(reply=HttpReply(body={"open": is_open, "parts": [asdict(part) for part in parts]}))


async def _stored(deps: Deps) -> list[Part]:
    try:
        lengths = dict(await deps.store.chain_lengths())
    except StoreUnavailable as error:
        return [database_part(str(error))]
    ours = {chain_id: lengths.get(chain_id, 0) for chain_id in deps.chains.values()}
    signed = {chain_id: deps.frontiers[chain_id].size for chain_id in ours}
    return [database_part(None), ledger_part(ours, signed)]
