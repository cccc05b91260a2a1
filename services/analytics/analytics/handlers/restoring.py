"""A restored database takes again what its topics say since the backup, before any window is issued from it.

Rows come in any order and any number of times, so that the handlers themselves are the takers; and messages need not
wait. Windows do: a sum over half of what readers have had would be issued to them as the newer revision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analytics.handlers.facts import on_call_disposition, on_clearance_closed, on_compliance_blocked
from analytics.handlers.windows import on_call_ended
from analytics.ports import Deps
from outdial_contracts.base import Event
from outdial_contracts.events import CallDisposition, CallEnded, ClearanceClosed, ComplianceBlocked
from outdial_runtime.outcome import Outcome
from outdial_runtime.reading_back import Rereading, Taker
from outdial_runtime.service import TickInput

WRITTEN: Sequence[type[Event]] = ()
TAKERS: Mapping[type[Event], Taker] = {
    CallEnded: on_call_ended,
    CallDisposition: on_call_disposition,
    ComplianceBlocked: on_compliance_blocked,
    ClearanceClosed: on_clearance_closed,
}
REREADING = Rereading(takers=TAKERS, written=WRITTEN)


async def watch_restore(tick: TickInput, deps: Deps) -> Outcome:
    """At the start: reads back. Then: marks."""
    return await REREADING.turn(deps)
