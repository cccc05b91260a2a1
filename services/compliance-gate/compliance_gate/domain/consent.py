"""Whether a consent satisfies a level (RULES.md 5.3): filters in order, the first to empty is the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime

from compliance_gate.domain.facts import Facts
from compliance_gate.domain.local_time import local_time
from compliance_gate.domain.months import add_months
from compliance_gate.domain.places import Place
from outdial_contracts.events import BlockReason, Consent, ConsentLevel

Filter = Callable[[Consent], bool]


def failure(
    facts: Facts,
    place: Place,
    level: ConsentLevel,
    now: datetime,
    revoke_all_from: date,
    granted_after: datetime | None = None,
) -> BlockReason | None:
    """The reason why no consent satisfies `level`, or None when one does.

    Args:
        granted_after: only consents given later than this count (lifting a suppression, RULES.md 5.5).
    """
    left = list(facts.consents)
    for reason, keeps in _filters(facts, place, level, now, revoke_all_from, granted_after):
        left = [consent for consent in left if keeps(consent)]
        if not left:
            return reason
    return None


def _filters(
    facts: Facts,
    place: Place,
    level: ConsentLevel,
    now: datetime,
    revoke_all_from: date,
    granted_after: datetime | None,
) -> Iterable[tuple[BlockReason, Filter]]:
    seller, purpose = facts.call.seller_id, facts.call.purpose.value.lower()
    in_us = "US" in place.jurisdictions
    disconnected = facts.lead.rnd_disconnected_at
    revoked_all = _revoked_all(facts, place, now, revoke_all_from) if in_us else None

    def present(c: Consent) -> bool:
        late = granted_after is None or c.granted_at > granted_after
        return c.seller_id == seller and c.channel == "voice" and c.granted_at <= now and late

    def same_person(c: Consent) -> bool:
        return not (in_us and disconnected is not None and c.granted_at < disconnected <= now)

    def standing(c: Consent) -> bool:
        if c.revoked_at is not None and c.revoked_at <= now:
            return False
        return revoked_all is None or c.granted_at > revoked_all

    return (
        (BlockReason.CONSENT_MISSING, present),
        (BlockReason.CONSENT_WRONG_PURPOSE, lambda c: c.purpose in (purpose, "any")),
        (BlockReason.CONSENT_LEVEL, lambda c: _reaches(c.level, level)),
        (BlockReason.CONSENT_NO_PROOF, lambda c: _proven(c, level)),
        (BlockReason.CONSENT_REASSIGNED, same_person),
        (BlockReason.CONSENT_REVOKED, standing),
        (BlockReason.CONSENT_EXPIRED, lambda c: (ends := _ends(c, place)) is None or now < ends),
    )


def _reaches(has: ConsentLevel, wanted: ConsentLevel) -> bool:
    if wanted is ConsentLevel.PEWC:
        return has is ConsentLevel.PEWC
    return has in (ConsentLevel.PEC, ConsentLevel.PEWC)


def _ends(consent: Consent, place: Place) -> datetime | None:
    """When it lapses by itself; in Australia a consent without an end lasts three months (RULES.md 5.3, filter 7)."""
    if consent.expires_at is None and "AU" in place.jurisdictions:
        return add_months(consent.granted_at, 3)
    return consent.expires_at


def _proven(consent: Consent, level: ConsentLevel) -> bool:
    if not consent.source or consent.captured_at is None:
        return False
    return level is not ConsentLevel.PEWC or bool(consent.text_sha256 and (consent.ip or consent.signature_ref))


def _revoked_all(facts: Facts, place: Place, now: datetime, starts: date) -> datetime | None:
    """US-REVOKE-ALL (47 CFR 64.1200(a)(10)): the latest revocation among the seller's voice consents, once in force."""
    if all(local_time(now, zone).date() < starts for zone in place.zones):
        return None
    times = (
        c.revoked_at
        for c in facts.consents
        if c.seller_id == facts.call.seller_id and c.channel == "voice" and c.revoked_at is not None
    )
    return max((at for at in times if at <= now), default=None)
