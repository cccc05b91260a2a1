"""Admission: the one decision for a lead from CSV, HTTP and lead.submitted; dedupe by lead id, person and number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lead_router.domain.leads import Lead, LeadPhone
from lead_router.domain.numbers import BadNumber, shape, to_e164
from lead_router.domain.rows import Reason, Rejected, checked_score, checked_text
from outdial_contracts import identity
from outdial_contracts.events import LeadStatus, LeadSubmitted, LineType
from outdial_contracts.identity import TokenKeys


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What the campaign's admitted leads hold already; grows as leads of one file are admitted."""

    lead_ids: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    """Tokens of persons and numbers, under the key versions they were admitted with."""


def admit(submitted: LeadSubmitted, keys: TokenKeys, taken: Taken, now: datetime) -> Lead:
    """The new lead; it is added to `taken`.

    Raises:
        Rejected: the first thing wrong with it.
    """
    _check(submitted, now)
    phones = _phones(submitted, keys)
    if submitted.lead_id in taken.lead_ids:
        raise Rejected(Reason.DUPLICATE_LEAD_ID, "lead_id", "already admitted")
    if not taken.tokens.isdisjoint(keys.person_tokens(submitted.person_id)):
        raise Rejected(Reason.DUPLICATE_PERSON, "person_id", "has a lead in this campaign")
    for position, phone in enumerate(phones, start=1):
        if not taken.tokens.isdisjoint(keys.callee_tokens(phone.number)):
            raise Rejected(Reason.DUPLICATE_NUMBER, _phone_field(position), "belongs to a lead of this campaign")
    lead = _lead(submitted, phones, keys, now)
    taken.lead_ids.add(lead.lead_id)
    taken.tokens.update(tokens_of(lead))
    return lead


def tokens_of(lead: Lead) -> Iterator[str]:
    """The tokens by which the lead is found and told from others: its person's and its numbers'."""
    yield lead.person_token
    for phone in lead.phones:
        yield phone.token


def tokens_asked(submissions: Iterable[LeadSubmitted], keys: TokenKeys) -> set[str]:
    """Every token, under every key version, that could make one of these a duplicate."""
    tokens: set[str] = set()
    for submitted in submissions:
        tokens.update(keys.person_tokens(submitted.person_id))
        for phone in submitted.phones:
            try:
                number = to_e164(phone.number, phone.default_region)
            except BadNumber:
                continue  # admit() rejects the lead with its reason
            tokens.update(keys.callee_tokens(number))
    return tokens


def _check(submitted: LeadSubmitted, now: datetime) -> None:
    for name, text in _texts("", submitted.to_record()):
        checked_text(name, text)
    needed = {
        "source": submitted.source,
        "lead_id": submitted.external_id,
        "person_id": submitted.person_id,
        "campaign_id": submitted.campaign_id,
        "phone": submitted.phones[0].number if submitted.phones else "",
    }
    for name, text in needed.items():
        if not text:
            raise Rejected(Reason.MISSING_FIELD, name, "empty")
    if submitted.lead_id != identity.lead_id(submitted.source, submitted.external_id):
        raise Rejected(Reason.BAD_ENUM, "lead_id", "not the UUIDv5 of source and external id")
    checked_score(submitted.score)
    if submitted.expires_at is not None and submitted.expires_at <= now:
        raise Rejected(Reason.EXPIRED, "expires_at", "time in the past")


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text of a record with the name of its field."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _texts(inner, item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(name, item)


def _phones(submitted: LeadSubmitted, keys: TokenKeys) -> tuple[LeadPhone, ...]:
    """The numbers in order, each once."""
    by_number: dict[str, LineType] = {}
    for position, phone in enumerate(submitted.phones, start=1):
        try:
            number = to_e164(phone.number, phone.default_region)
        except BadNumber:
            raise Rejected(Reason.BAD_NUMBER, _phone_field(position), shape(phone.number)) from None
        by_number.setdefault(number, phone.line_type)
    return tuple(
        LeadPhone(number=number, token=keys.callee_token(number), line_type=line_type)
        for number, line_type in by_number.items()
    )


def _phone_field(position: int) -> str:
    return "phone" if position == 1 else f"phone_{position}"


def _lead(submitted: LeadSubmitted, phones: tuple[LeadPhone, ...], keys: TokenKeys, now: datetime) -> Lead:
    return Lead(
        lead_id=submitted.lead_id,
        source=submitted.source,
        external_id=submitted.external_id,
        campaign_id=submitted.campaign_id,
        person_id=submitted.person_id,
        person_token=keys.person_token(submitted.person_id),
        consumer=submitted.consumer,
        address=submitted.address,
        segment=submitted.segment,
        score=submitted.score,
        phones=phones,
        consents=submitted.consents,
        relations=submitted.relations,
        debt_id=submitted.debt_id,
        expires_at=submitted.expires_at,
        external_ref=submitted.external_ref,
        email=submitted.email,
        first_name=submitted.first_name,
        language=submitted.language,
        preferred_hours=submitted.preferred_hours,
        list_source=submitted.list_source,
        attributes=submitted.attributes,
        status=LeadStatus.NEW,
        due_at=now,
        changed_at=now,
    )
