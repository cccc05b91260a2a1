"""Reassigned numbers as a query: what is asked, what an answer file says, and what an answer does to a consent.

47 CFR 64.1200(m): a caller who asked the Reassigned Numbers Database about a number and the date of a consent, and was
told no, has a safe harbour. Yes: the number was permanently disconnected after that date, so a consent from before is
another person's (RULES.md 5.3, filter 5). No data is no safe harbour, and voids nothing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from compliance_gate.domain.places import locate
from compliance_gate.domain.rules import RulePack
from outdial_contracts.events import Address, Consent, LeadReady, ReassignedAnswer, ReassignedReply

COUNTRY = "US"
NUMBER = re.compile(r"(?:\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})")
DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
REPLIES = {"yes": ReassignedReply.YES, "no": ReassignedReply.NO, "no_data": ReassignedReply.NO_DATA}
COLUMNS = ("number", "date", "answer")


class AnswerFileError(ValueError):
    """A line of an answer file can't be taken; the text names line, field and rule, never a value."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A line of an answer file."""

    e164: str
    consent_date: date
    reply: ReassignedReply


def questions(offer: LeadReady, pack: RulePack) -> Iterator[tuple[str, date]]:
    """(number of 10 digits, date of a consent in UTC) of an offer; nothing of a number outside the United States."""
    if not NUMBER.fullmatch(offer.phone) or locate(offer.phone, Address(), pack).countries != {COUNTRY}:
        return
    for granted in {c.granted_at.astimezone(UTC).date() for c in offer.consents if c.channel == "voice"}:
        yield offer.phone.removeprefix("+1"), granted


def read_answers(lines: Iterable[str]) -> Iterator[Answered]:
    """Reads number,date,answer (a heading may stand first); the number has 10 digits, or 1 or +1 before them.

    Raises:
        AnswerFileError: at the first line that can't be taken.
    """
    for number, row in _rows(lines):
        if not row or (number == 1 and row[0].strip().lower() == COLUMNS[0]):
            continue
        if len(row) != len(COLUMNS):
            raise AnswerFileError(f"line {number}: want {','.join(COLUMNS)}; it has {len(row)} fields")
        phone, asked, reply = (value.strip() for value in row)
        found = NUMBER.fullmatch(phone)
        if found is None:
            raise AnswerFileError(f"line {number}: number: want 10 digits of the United States")
        if reply.lower() not in REPLIES:
            raise AnswerFileError(f"line {number}: answer: want yes, no or no_data")
        yield Answered(e164=f"+1{found[1]}", consent_date=_date(asked, number), reply=REPLIES[reply.lower()])


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error:
        raise AnswerFileError(f"line {reader.line_num}: not CSV") from None


def _date(text: str, line: int) -> date:
    found = DATE.fullmatch(text)
    try:
        if found is not None:
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        pass
    raise AnswerFileError(f"line {line}: date: want YYYYMMDD")


def replaces(new: ReassignedAnswer, old: ReassignedAnswer) -> bool:
    """Whether an answer to the same question holds in place of another: the later one; no data never unsays an answer,
    and of one instant yes wins.
    """
    if new.reply is ReassignedReply.NO_DATA and old.reply is not ReassignedReply.NO_DATA:
        return False
    if old.reply is ReassignedReply.NO_DATA and new.reply is not ReassignedReply.NO_DATA:
        return True
    if new.answered_at != old.answered_at:
        return new.answered_at > old.answered_at
    return new.reply is ReassignedReply.YES and old.reply is not ReassignedReply.YES


def disconnected_at(answers: Sequence[ReassignedAnswer]) -> datetime | None:
    """The latest instant at which the number may have been disconnected, or None when no answer says that it was.

    A yes says that it was, some time before the answer. A no to a later date, given no earlier than the yes, says that
    it was before that date. Where nothing bounds it the answer's own instant is taken: consents since are safe.
    """
    return max((_bound(one, answers) for one in answers if one.reply is ReassignedReply.YES), default=None)


def _bound(yes: ReassignedAnswer, answers: Sequence[ReassignedAnswer]) -> datetime:
    later_dates = [
        midnight(no.consent_date)
        for no in answers
        if no.reply is ReassignedReply.NO and no.consent_date > yes.consent_date and no.answered_at >= yes.answered_at
    ]
    return min([yes.answered_at, *later_dates])


def midnight(day: str) -> datetime:
    """The beginning of a YYYY-MM-DD in UTC."""
    return datetime.combine(date.fromisoformat(day), time(), UTC)


def answer_for(consent: Consent, answers: Sequence[ReassignedAnswer]) -> ReassignedAnswer | None:
    """The answer to the question about this consent's date, or None where it was not asked."""
    day = consent.granted_at.astimezone(UTC).date().isoformat()
    return next((one for one in answers if one.consent_date == day), None)
