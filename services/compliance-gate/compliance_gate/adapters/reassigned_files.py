"""Questions to the Reassigned Numbers Database out of the gate's store, and its answers into it.

The files hold telephone numbers: they are made readable for their owner only, and no number is ever in a message.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import date, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import asyncpg

from compliance_gate.adapters.postgres_facts import merge_answers
from compliance_gate.domain.reassigned import Answered, AnswerFileError, questions, read_answers
from compliance_gate.domain.rules import RulePack
from outdial_contracts import codec
from outdial_contracts.events import LeadReady, ReassignedAnswer, ReassignedReply
from outdial_contracts.identity import TokenKeys

CHUNK = 2_000
OFFERS = """
SELECT DISTINCT ON (number_key, person_key, seller_id) number_key, offer
FROM clearances ORDER BY number_key, person_key, seller_id, decided_at DESC"""
"""The latest offer of each person, number and seller: it holds their consents of today."""
Progress = Callable[[int], None]


async def export_questions(dsn: str, pack: RulePack, out: Path, progress: Progress) -> int:
    """Writes number,date rows for every number with a consent that was ever offered; returns how many.

    The file is made beside `out` and takes its name when it is whole.

    Raises:
        OSError, asyncpg.PostgresError: the file can't be written or the database does not answer.
    """
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex}.part")
    connection = await asyncpg.connect(dsn)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            rows = 0
            async with aclosing(_questions(connection, pack)) as chunks:
                async for asked in chunks:
                    file.writelines(f"{number},{day:%Y%m%d}\n" for number, day in asked)
                    rows += len(asked)
                    progress(rows)
        part.replace(out)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
        await connection.close()
    return rows


async def _questions(connection: Any, pack: RulePack) -> AsyncGenerator[list[tuple[str, date]], None]:
    """Lists of (number, date), each once; a number's are together, since its offers are."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        last, open_rows = None, set[tuple[str, date]]()
        cursor = await connection.cursor(OFFERS)
        while chunk := await cursor.fetch(CHUNK):
            asked: list[tuple[str, date]] = []
            for key, rows in groupby(chunk, key=lambda row: row["number_key"]):
                if key != last:
                    asked += sorted(open_rows)
                    last, open_rows = key, set()
                for row in rows:
                    offer = codec.decode(row["offer"], LeadReady.TOPIC)
                    if isinstance(offer, LeadReady):
                        open_rows.update(questions(offer, pack))
            yield asked
        yield sorted(open_rows)


async def import_answers(
    dsn: str, keys: TokenKeys, file: Path, answered_at: datetime, now: datetime, progress: Progress
) -> dict[str, int]:
    """Stores a file's answers, all or none; returns YES, NO and NO_DATA -> lines. In force when it returns.

    Raises:
        AnswerFileError: naming line, field and rule; nothing was stored.
        OSError, asyncpg.PostgresError: the file can't be read or the database does not answer.
    """
    connection = await asyncpg.connect(dsn)
    totals = dict.fromkeys((r.value for r in ReassignedReply if r is not ReassignedReply.UNKNOWN), 0)
    try:
        async with connection.transaction():
            digest = hashlib.sha256()
            answers = read_answers(_lines(file, digest))
            lines = 0
            while chunk := list(islice(answers, CHUNK)):
                for answered in chunk:
                    totals[answered.reply.value] += 1
                await merge_answers(connection, _distinct(chunk, keys, answered_at), announced=False)
                lines += len(chunk)
                progress(lines)
            if not lines:
                raise AnswerFileError("the file has no answer")
            await connection.execute(
                "INSERT INTO reassigned_imports VALUES ($1, $2, $3, $4, $5, false)",
                str(uuid.uuid4()),
                digest.hexdigest(),
                json.dumps(totals),
                answered_at,
                now,
            )
    finally:
        await connection.close()
    return totals


def _distinct(chunk: list[Answered], keys: TokenKeys, answered_at: datetime) -> list[ReassignedAnswer]:
    """One answer per number and date; of several of one instant a yes holds, then a no (domain `replaces`)."""
    holds = (ReassignedReply.NO_DATA, ReassignedReply.NO, ReassignedReply.YES)
    found: dict[tuple[str, str], ReassignedAnswer] = {}
    for answered in sorted(chunk, key=lambda one: holds.index(one.reply)):
        key, day = keys.callee_tokens(answered.e164)[0], answered.consent_date.isoformat()
        found[key, day] = ReassignedAnswer(
            number_key=key, consent_date=day, reply=answered.reply, answered_at=answered_at
        )
    return list(found.values())


def _lines(file: Path, digest: Any) -> Iterator[str]:
    with file.open("rb") as raw:
        for number, line in enumerate(raw, start=1):
            digest.update(line)
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise AnswerFileError(f"line {number}: want UTF-8 text") from None
