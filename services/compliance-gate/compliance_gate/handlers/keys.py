"""Signing keys: what is in force, taken up while the gate runs, and recorded in the ledger."""

from __future__ import annotations

from datetime import datetime

from compliance_gate.domain.ledger import Entry, RecordKind
from compliance_gate.ports import Deps, Signer
from outdial_runtime.outcome import NOTHING, Outcome, RetryLater
from outdial_runtime.service import TickInput

RETRY_SECONDS = 5.0


async def take_up_keys(tick: TickInput, deps: Deps) -> Outcome:
    """Takes up a changed key file; one that is not whole leaves the keys in force, and is tried until it is mended."""
    try:
        changed = await deps.signer.refresh()
    except ValueError:
        return RetryLater("KEY_FILE", RETRY_SECONDS)
    if changed:
        deps.unrecorded.append(key_entry(deps.signer, deps.clock.now()))
    return NOTHING


def key_entry(signer: Signer, at: datetime) -> Entry:
    """Who signs from now on, and whose signatures are believed."""
    return Entry(
        kind=RecordKind.KEY, body={"signs": signer.key_id, "believed": list(signer.key_ids), "at": at.isoformat()}
    )
