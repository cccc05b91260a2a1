"""Answers of the Reassigned Numbers Database that an import stored -> reassigned.answered, and the ledger's record."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.fact_ports import AnswerImport
from compliance_gate.ports import Deps
from outdial_contracts.events import ReassignedAnswer, ReassignedAnswered
from outdial_contracts.headers import CE_NAMESPACE
from outdial_runtime.outcome import NOTHING, Emit, Outcome
from outdial_runtime.service import TickInput

ANSWERS_PER_EVENT = 500
EVENTS_PER_TURN = 20


async def announce_answers(tick: TickInput, deps: Deps) -> Outcome:
    """Announces what was imported since, some thousands at a time, so that a restored database learns it again."""
    async with deps.store.transaction() as tx:
        answers = await tx.take_unannounced(ANSWERS_PER_EVENT * EVENTS_PER_TURN)
        imports = await tx.take_unrecorded_imports()
        chunks = [answers[at : at + ANSWERS_PER_EVENT] for at in range(0, len(answers), ANSWERS_PER_EVENT)]
        if chunks:
            await tx.announce(list(map(_emit, chunks)))
        if imports:
            await tx.append(Chain.DECISIONS, list(map(_entry, imports)))
    return NOTHING


def _emit(answers: Sequence[ReassignedAnswer]) -> Emit:
    names = "|".join(f"{a.number_key} {a.consent_date} {a.reply} {a.answered_at.isoformat()}" for a in answers)
    batch_id = str(uuid.uuid5(CE_NAMESPACE, f"reassigned:{names}"))
    return Emit(event=ReassignedAnswered(batch_id=batch_id, answers=tuple(answers)), cause=f"reassigned:{batch_id}")


def _entry(one: AnswerImport) -> Entry:
    body = {
        "import_id": one.import_id,
        "file_sha256": one.file_sha256,
        "replies": dict(one.replies),
        "answered_at": one.answered_at.isoformat(),
        "at": one.imported_at.isoformat(),
    }
    return Entry(kind=RecordKind.REASSIGNED, body=body)
