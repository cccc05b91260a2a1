"""One lead as flat columns (a row of leads.csv, or the JSON object of POST /v1/leads) to a LeadSubmitted.

An error names field, shape and rule, never the value. Every row has one reason: the first in the order of the checks.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from lead_router.domain.numbers import is_region, shape
from outdial_contracts import identity
from outdial_contracts.events import (
    Address,
    Consent,
    ConsentLevel,
    LeadAction,
    LeadSubmitted,
    LineType,
    Phone,
    Purpose,
    Relation,
    Segment,
)

REQUIRED = ("lead_id", "person_id", "phone")
OPTIONAL = (
    *("phone_2", "phone_3", "default_region", "line_type", "consumer", "country", "region", "postal_code"),
    *("time_zone", "segment", "score", "expires_at", "external_ref", "email", "first_name", "language"),
    *("preferred_hours", "source_list", "consent_level", "consent_purpose", "consent_granted_at"),
    *("consent_expires_at", "consent_revoked_at", "consent_source", "consent_captured_at", "consent_ip"),
    *("consent_text_sha256", "last_transaction_at", "last_inquiry_at", "contract_active", "debt_id"),
)
COLUMNS = frozenset((*REQUIRED, *OPTIONAL))
RELATION = ("last_transaction_at", "last_inquiry_at", "contract_active")
LONGEST_VALUE = 256
COUNTRY = re.compile(r"[A-Z]{2}")
BOOLEANS = {"true": True, "false": False}
PURPOSES = frozenset({"any", *(p.value.lower() for p in Purpose if p is not Purpose.UNKNOWN)})
Chosen = TypeVar("Chosen", bound=StrEnum)


class Reason(StrEnum):
    """Why a lead is not admitted (formats.md, leads.csv)."""

    MISSING_FIELD = "MISSING_FIELD"
    BAD_ENCODING = "BAD_ENCODING"
    BAD_NUMBER = "BAD_NUMBER"
    BAD_ENUM = "BAD_ENUM"
    BAD_TIME = "BAD_TIME"
    BAD_SCORE = "BAD_SCORE"
    EXPIRED = "EXPIRED"
    DUPLICATE_LEAD_ID = "DUPLICATE_LEAD_ID"
    DUPLICATE_PERSON = "DUPLICATE_PERSON"
    DUPLICATE_NUMBER = "DUPLICATE_NUMBER"
    TOO_MANY_COLUMNS = "TOO_MANY_COLUMNS"
    TOO_LONG = "TOO_LONG"


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why, where, and what the value looks like."""

    reason: Reason
    field: str
    shape: str


class Rejected(Exception):
    """Carries a rejection out of the checks of one lead."""

    def __init__(self, reason: Reason, field: str, seen: str) -> None:
        super().__init__(f"{field}: {reason} ({seen})")
        self.rejection = Rejection(reason=reason, field=field, shape=seen)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a row does not say itself."""

    source: str
    campaign_id: str
    seller_id: str
    """Seller its consent was given to: the campaign's."""
    zones: Collection[str]
    """IANA zone names that exist."""
    now: datetime


def submission(row: Mapping[str, str], origin: Origin) -> LeadSubmitted:
    """The submission that a row states, its numbers as written.

    Raises:
        Rejected: the first thing wrong with the row.
    """
    values = {name: value.strip() for name, value in row.items()}
    for name, value in values.items():
        checked_text(name, value)
    for name in REQUIRED:
        if not values.get(name):
            raise Rejected(Reason.MISSING_FIELD, name, "empty")
    lead = identity.lead_id(origin.source, values["lead_id"])
    line_type = _choice(values, "line_type", LineType, LineType.UNKNOWN)
    segment = _choice(values, "segment", Segment, Segment.COLD)
    return LeadSubmitted(
        lead_id=lead,
        action=LeadAction.SUBMIT,
        source=origin.source,
        external_id=values["lead_id"],
        person_id=values["person_id"],
        campaign_id=origin.campaign_id,
        phones=_phones(values, line_type),
        consumer=_boolean(values, "consumer", default=True),
        address=_address(values, origin.zones),
        consents=_consents(values, lead, origin.seller_id),
        relations=_relations(values, origin),
        debt_id=values.get("debt_id") or None,
        expires_at=_time(values, "expires_at"),
        segment=segment,
        score=_score(values),
        submitted_at=origin.now,
        external_ref=values.get("external_ref") or None,
        email=values.get("email") or None,
        first_name=values.get("first_name") or None,
        language=values.get("language") or None,
        preferred_hours=values.get("preferred_hours") or None,
        list_source=values.get("source_list") or None,
        attributes={name: value for name, value in values.items() if name not in COLUMNS and value},
    )


def checked_text(name: str, value: str) -> None:
    """Passes a text that can be stored.

    Raises:
        Rejected: name or value is no UTF-8 (PostgreSQL holds no NUL, so that counts too), or is too long.
    """
    if not (is_storable(name) and is_storable(value)):
        raise Rejected(Reason.BAD_ENCODING, name if is_storable(name) else "", f"{len(value)} characters, not UTF-8")
    if max(len(name), len(value)) > LONGEST_VALUE:
        raise Rejected(Reason.TOO_LONG, name[:LONGEST_VALUE], f"{len(value)} characters, at most {LONGEST_VALUE}")


def is_storable(text: str) -> bool:
    """No NUL, and no lone surrogate (bytes that were not UTF-8)."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _phones(values: Mapping[str, str], line_type: LineType) -> tuple[Phone, ...]:
    default_region = values.get("default_region") or "US"
    if not is_region(default_region):
        raise Rejected(Reason.BAD_ENUM, "default_region", shape(default_region))
    written = [values.get(name, "") for name in ("phone", "phone_2", "phone_3")]
    return tuple(Phone(number=w, default_region=default_region, line_type=line_type) for w in written if w)


def _address(values: Mapping[str, str], zones: Collection[str]) -> Address:
    country, zone = values.get("country") or None, values.get("time_zone") or None
    if country is not None and not COUNTRY.fullmatch(country):
        raise Rejected(Reason.BAD_ENUM, "country", shape(country))
    if zone is not None and zone not in zones:
        raise Rejected(Reason.BAD_ENUM, "time_zone", shape(zone))
    return Address(
        country=country,
        region=values.get("region") or None,
        postal_code=values.get("postal_code") or None,
        time_zone=zone,
    )


def _consents(values: Mapping[str, str], lead: str, seller_id: str) -> tuple[Consent, ...]:
    level = _choice(values, "consent_level", ConsentLevel, ConsentLevel.UNKNOWN)
    if level is ConsentLevel.UNKNOWN:
        return ()
    purpose = values.get("consent_purpose") or "any"
    if purpose not in PURPOSES:
        raise Rejected(Reason.BAD_ENUM, "consent_purpose", shape(purpose))
    granted_at = _time(values, "consent_granted_at")
    if granted_at is None:
        raise Rejected(Reason.MISSING_FIELD, "consent_granted_at", "empty")
    name = f"{seller_id}|{purpose}|{level.value.lower()}|{granted_at.isoformat()}"
    consent = Consent(
        consent_id=str(uuid.uuid5(uuid.UUID(lead), name)),
        seller_id=seller_id,
        purpose=purpose,
        channel="voice",
        level=level,
        granted_at=granted_at,
        expires_at=_time(values, "consent_expires_at"),
        revoked_at=_time(values, "consent_revoked_at"),
        source=values.get("consent_source") or None,
        captured_at=_time(values, "consent_captured_at"),
        ip=values.get("consent_ip") or None,
        text_sha256=values.get("consent_text_sha256") or None,
    )
    return (consent,)


def _choice(values: Mapping[str, str], name: str, kind: type[Chosen], default: Chosen) -> Chosen:
    text = values.get(name) or default.value
    try:
        return kind(text.upper())
    except ValueError:
        raise Rejected(Reason.BAD_ENUM, name, shape(text)) from None


def _relations(values: Mapping[str, str], origin: Origin) -> tuple[Relation, ...]:
    """The relation with the campaign's seller, if the row says anything of it: true since the file came."""
    if not any(values.get(name) for name in RELATION):
        return ()
    relation = Relation(
        seller_id=origin.seller_id,
        as_of=origin.now,
        last_transaction_at=_time(values, "last_transaction_at"),
        last_inquiry_at=_time(values, "last_inquiry_at"),
        contract_active=_boolean(values, "contract_active", default=False),
    )
    return (relation,)


def _boolean(values: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = values.get(name) or str(default)
    if text.lower() not in BOOLEANS:
        raise Rejected(Reason.BAD_ENUM, name, shape(text))
    return BOOLEANS[text.lower()]


def _score(values: Mapping[str, str]) -> float:
    text = values.get("score") or "0.5"
    try:
        score = float(text)
    except ValueError:
        raise Rejected(Reason.BAD_SCORE, "score", shape(text)) from None
    return checked_score(score)


def checked_score(score: float) -> float:
    """The score, if it lies in 0..1.

    Raises:
        Rejected: it does not, or is no number at all.
    """
    if not 0.0 <= score <= 1.0:
        raise Rejected(Reason.BAD_SCORE, "score", "number outside 0..1")
    return score


def _time(values: Mapping[str, str], name: str) -> datetime | None:
    text = values.get(name, "")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(Reason.BAD_TIME, name, shape(text)) from None
    if time.tzinfo is None:
        raise Rejected(Reason.BAD_TIME, name, "time without a zone")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise Rejected(Reason.BAD_TIME, name, "year out of range") from None
