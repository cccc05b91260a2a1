"""What a request to suppress may say, and suppression.csv (formats.md)."""

from __future__ import annotations

import csv
import io
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from compliance_gate.domain.places import normalise
from compliance_gate.domain.rules import Geography
from outdial_contracts.events import SuppressionSource
from outdial_contracts.headers import CE_NAMESPACE

EVERY_SELLER = "*"
COLUMNS = ("phone", "person_id", "seller_id", "requested_at", "source", "default_region", "suppression_id")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A request that somebody is not called again; at least one of phone, person_id and attempt_id names who."""

    suppression_id: str
    seller_id: str
    """Empty: the seller of the attempt, else every seller."""
    source: SuppressionSource
    requested_at: datetime
    phone: str | None = None
    """E.164."""
    person_id: str | None = None
    attempt_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A parsed suppression.csv."""

    rows: int
    wanted: tuple[Wanted, ...]
    rejected: Mapping[str, int]
    """Row error (MISSING_FIELD, BAD_NUMBER, BAD_TIME, BAD_ENUM) -> count."""


class RowError(ValueError):
    """A row can't be taken; the text is the row-error word."""


def stable_id(*parts: str) -> str:
    """The id of a request that brought none: the same for the same request again."""
    return str(uuid.uuid5(CE_NAMESPACE, "suppression:" + "\x1f".join(parts)))


def read_sheet(text: str, now: datetime, geography: Geography) -> Sheet:
    """Reads a suppression.csv: phone, person_id, seller_id (*), requested_at (now), source (IMPORT).

    Every good row is taken; bad ones are counted by error. A file without its header is all MISSING_FIELD.
    """
    wanted: list[Wanted] = []
    rejected: Counter[str] = Counter()
    for row in _rows(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=None))):
        try:
            wanted.append(read_row(row, now, geography))
        except RowError as error:
            rejected[str(error)] += 1
    return Sheet(rows=len(wanted) + rejected.total(), wanted=tuple(wanted), rejected=dict(rejected))


def _rows(reader: csv.DictReader[str]) -> Iterator[Mapping[str, str]]:
    """Rows by column; one that CSV can't hold comes as a row without a subject."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield {}
        else:
            yield {name: (value or "").strip() for name, value in row.items() if name in COLUMNS}


def read_row(row: Mapping[str, str], now: datetime, geography: Geography) -> Wanted:
    """One row, or the JSON of an opt-out.

    Raises:
        RowError: with the row-error word.
    """
    phone, person_id, attempt_id = row.get("phone", ""), row.get("person_id", ""), row.get("attempt_id", "")
    if not (phone or person_id or attempt_id):
        raise RowError("MISSING_FIELD")
    e164 = normalise(phone, row.get("default_region") or "US", geography) if phone else None
    if phone and e164 is None:
        raise RowError("BAD_NUMBER")
    seller = row.get("seller_id") or ("" if attempt_id else EVERY_SELLER)
    who = (e164 or "", person_id, attempt_id, seller)
    return Wanted(
        suppression_id=row.get("suppression_id") or stable_id(*who, row.get("requested_at", "")),
        seller_id=seller,
        source=_source(row.get("source", "")),
        requested_at=_time(row.get("requested_at", ""), now),
        phone=e164,
        person_id=person_id or None,
        attempt_id=attempt_id or None,
    )


def _source(text: str) -> SuppressionSource:
    word = text.upper() or SuppressionSource.IMPORT.value
    if word not in SuppressionSource.__members__:
        raise RowError("BAD_ENUM")
    return SuppressionSource(word)


def _time(text: str, now: datetime) -> datetime:
    if not text:
        return now
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise RowError("BAD_TIME") from None
    if at.tzinfo is None:
        raise RowError("BAD_TIME")
    return at.astimezone(now.tzinfo)
