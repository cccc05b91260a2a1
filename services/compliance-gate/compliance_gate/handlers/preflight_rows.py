"""What POST /v1/preflight is told: a campaign.yaml as JSON, and rows as lead-router's dry run returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from compliance_gate.domain.facts import Call, Lead, PersonCap, Relation
from outdial_contracts.events import Address, CallMode, Consent, ConsentLevel, LineType, Purpose

MODES = {"preview": CallMode.LIVE_MANUAL}
PLACES = ("country", "region", "postal_code", "time_zone")
TIMES = ("granted_at", "expires_at", "revoked_at", "captured_at")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A lead row as lead-router's dry run returns it."""

    lead_id: str
    person_id: str
    lead: Lead
    consents: tuple[Consent, ...]
    relations: tuple[Relation, ...]
    """Newer than what the store holds of the same seller."""
    debt_id: str | None


def call_of(campaign: Mapping[str, Any]) -> Call:
    """The call that the campaign would place. Raises ValueError, KeyError, TypeError, AttributeError, as all here."""
    retry = campaign["retry"]
    cap = PersonCap(max_attempts=int(retry["max_per_person"]), window_hours=int(retry["window_hours"]))
    return Call(
        seller_id=campaign["seller"]["id"],
        topic_id=campaign["topic"],
        purpose=Purpose(str(campaign["purpose"]).upper()),
        mode=MODES.get(str(campaign["mode"]).lower(), CallMode.LIVE_AUTODIALED),
        person_cap=cap,
    )


def candidate_of(row: Mapping[str, Any]) -> Candidate:
    """A row."""
    address = row.get("address") or {}
    lead = Lead(
        phone=_text(row["phone"]),
        line_type=LineType(str(row.get("line_type") or "unknown").upper()),
        consumer=bool(row.get("consumer", True)),
        address=Address(**{k: _text(v) for k in PLACES if (v := address.get(k)) is not None}),
    )
    return Candidate(
        lead_id=str(row["lead_id"]),
        person_id=str(row["person_id"]),
        lead=lead,
        consents=tuple(_consent(consent) for consent in row.get("consents") or ()),
        relations=tuple(_relation(relation) for relation in row.get("relations") or ()),
        debt_id=_text(debt) if (debt := row.get("debt_id")) is not None else None,
    )


def _relation(row: Mapping[str, Any]) -> Relation:
    times = {name: time_of(row[name]) if row.get(name) else None for name in ("last_transaction_at", "last_inquiry_at")}
    return Relation(seller_id=_text(row["seller_id"]), contract_active=bool(row.get("contract_active")), **times)


def _consent(row: Mapping[str, Any]) -> Consent:
    times = {name: time_of(row[name]) if row.get(name) else None for name in TIMES}
    return Consent.from_record(
        {
            **{name: row.get(name) for name in ("consent_id", "source", "ip", "text_sha256", "signature_ref")},
            **times,
            "seller_id": row["seller_id"],
            "purpose": str(row["purpose"]).lower(),
            "channel": str(row.get("channel") or "voice").lower(),
            "level": ConsentLevel(str(row["level"]).upper()).value,
        }
    )


def texts(values: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(values, list | tuple):
        raise TypeError("not a list")
    return tuple(map(_text, values))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def time_of(value: str) -> datetime:
    """An aware time."""
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time
