"""Database rows to domain records and back; jsonb columns travel as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lead_router.domain.leads import Campaign, Lead, LeadPhone, Offer
from lead_router.domain.lifecycle import OfferState
from lead_router.domain.supply import Demand
from outdial_contracts.events import (
    Address,
    BlockReason,
    CampaignDocument,
    CampaignState,
    Consent,
    Context,
    DispositionCode,
    LeadStatus,
    LineType,
    Relation,
    Segment,
    SupplyReason,
)

PROFILE = ("consumer", "external_ref", "email", "first_name", "language", "preferred_hours", "list_source")
LATER = ("debt_id",)
"""Of the profile too; rows from before have none."""
RELATION_TIMES = ("as_of", "last_transaction_at", "last_inquiry_at")
CONSENT_TIMES = ("granted_at", "expires_at", "revoked_at", "captured_at")
LEAD_COLUMNS = (
    *("lead_id", "campaign_id", "person_id", "source", "external_id", "person_token", "profile", "phones", "consents"),
    *("segment", "score", "priority", "status", "due_at", "expires_at", "phone_no", "offers", "attempts"),
    *("current_attempt_id", "last_code", "block_reasons", "revision", "changed_at"),
)
OFFER_COLUMNS = (
    *("attempt_id", "lead_id", "person_id", "offer_no", "campaign_id", "campaign_version", "team_id", "epoch"),
    *("context", "state", "offered_at", "answer_due_at", "redeemed_at", "charged", "disposition_revision"),
)
DEMAND_COLUMNS = (
    *("campaign_id", "team_id", "epoch", "wanted_total", "sent_total", "blocked_total", "supply_no"),
    *("published_total", "published_reason", "published_next_due_at"),
)


def lead_row(lead: Lead) -> tuple[Any, ...]:
    """Values in the order of LEAD_COLUMNS."""
    profile = {name: getattr(lead, name) for name in (*PROFILE, *LATER)}
    profile |= {"address": lead.address.to_record(), "attributes": dict(lead.attributes)}
    profile["relations"] = [_told(relation, RELATION_TIMES) for relation in lead.relations]
    phones = [{"number": p.number, "token": p.token, "line_type": p.line_type.value} for p in lead.phones]
    consents = [_told(consent, CONSENT_TIMES) for consent in lead.consents]
    special = {
        "profile": json.dumps(profile),
        "phones": json.dumps(phones),
        "consents": json.dumps(consents),
        "segment": lead.segment.value,
        "status": lead.status.value,
        "last_code": lead.last_code.value if lead.last_code else None,
        "block_reasons": [reason.value for reason in lead.block_reasons],
    }
    return tuple(special[name] if name in special else getattr(lead, name) for name in LEAD_COLUMNS)


def lead_from(row: Mapping[str, Any]) -> Lead:
    """A row of `leads`."""
    profile = json.loads(row["profile"])
    address, attributes, relations = profile.pop("address"), profile.pop("attributes"), profile.pop("relations", ())
    same = ("lead_id", "campaign_id", "person_id", "source", "external_id", "person_token", "score", "due_at")
    more = ("expires_at", "phone_no", "offers", "attempts", "current_attempt_id", "revision", "changed_at")
    return Lead(
        **{name: row[name] for name in (*same, *more)},
        **profile,
        address=Address.from_record(address),
        attributes=attributes,
        phones=tuple(
            LeadPhone(number=p["number"], token=p["token"], line_type=LineType(p["line_type"]))
            for p in json.loads(row["phones"])
        ),
        consents=tuple(Consent.from_record(_times(c, CONSENT_TIMES)) for c in json.loads(row["consents"])),
        relations=tuple(Relation.from_record(_times(r, RELATION_TIMES)) for r in relations),
        segment=Segment(row["segment"]),
        status=LeadStatus(row["status"]),
        last_code=DispositionCode(row["last_code"]) if row["last_code"] else None,
        block_reasons=tuple(map(BlockReason, row["block_reasons"])),
    )


def offer_row(offer: Offer) -> tuple[Any, ...]:
    """Values in the order of OFFER_COLUMNS."""
    special = {"context": json.dumps(offer.context.to_record()), "state": offer.state.value}
    return tuple(special[name] if name in special else getattr(offer, name) for name in OFFER_COLUMNS)


def offer_from(row: Mapping[str, Any]) -> Offer:
    """A row of `offers`."""
    values = {name: row[name] for name in OFFER_COLUMNS}
    values |= {"context": Context.from_record(json.loads(row["context"])), "state": OfferState(row["state"])}
    return Offer(**values)


def demand_row(demand: Demand) -> tuple[Any, ...]:
    """Values in the order of DEMAND_COLUMNS."""
    total, reason, next_due_at = demand.published or (None, None, None)
    published = (total, reason.value if reason else None, next_due_at)
    return (*(getattr(demand, name) for name in DEMAND_COLUMNS[:-3]), *published)


def demand_from(row: Mapping[str, Any]) -> Demand:
    """A row of `demands`."""
    published = None
    if row["published_reason"] is not None:
        reason = SupplyReason(row["published_reason"])
        published = (row["published_total"], reason, row["published_next_due_at"])
    return Demand(**{name: row[name] for name in DEMAND_COLUMNS[:-3]}, published=published)


def campaign_from(row: Mapping[str, Any]) -> Campaign:
    """A row of the campaign query in postgres.py."""
    return Campaign(
        campaign_id=row["campaign_id"],
        team_id=row["team_id"],
        version=row["version"],
        state=CampaignState(row["state"]),
        document=CampaignDocument.from_record(json.loads(row["document"])),
    )


def _told(told: Consent | Relation, times: Sequence[str]) -> dict[str, Any]:
    record = told.to_record()
    return record | {name: record[name].isoformat() for name in times if record[name] is not None}


def _times(record: Mapping[str, Any], times: Sequence[str]) -> dict[str, Any]:
    return {**record, **{name: datetime.fromisoformat(record[name]) for name in times if record[name] is not None}}
