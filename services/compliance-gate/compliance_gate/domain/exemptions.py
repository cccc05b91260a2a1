"""What lifts a failure of a cap, a list or a consent row: only what the row itself names (RULES.md 5.6)."""

from __future__ import annotations

from datetime import date, datetime

from compliance_gate.domain import consent
from compliance_gate.domain.facts import Facts, Relation
from compliance_gate.domain.months import add_months
from compliance_gate.domain.places import Place
from compliance_gate.domain.rules import Exemption


def lifts(exemption: Exemption, facts: Facts, place: Place, now: datetime, revoke_all_from: date) -> bool:
    """Whether a consent, a business relationship or a contract lifts it now."""
    level = exemption.consent_level
    if level is not None and consent.failure(facts, place, level, now, revoke_all_from) is None:
        return True
    return any(
        _relation_lifts(exemption, relation, now)
        for relation in facts.relations
        if relation.seller_id == facts.call.seller_id
    )


def _relation_lifts(exemption: Exemption, relation: Relation, now: datetime) -> bool:
    return (
        (exemption.contract_active and relation.contract_active)
        or _within(relation.last_transaction_at, exemption.transaction_months, now)
        or _within(relation.last_inquiry_at, exemption.inquiry_months, now)
    )


def _within(since: datetime | None, months: int, now: datetime) -> bool:
    return since is not None and months > 0 and since <= now < add_months(since, months)
