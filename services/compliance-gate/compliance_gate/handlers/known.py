"""Loads what the store knows of an offer's person and number; used by the decision, the last look and preflight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from compliance_gate.domain.facts import ListCopy, Suppression
from compliance_gate.domain.offers import Known
from compliance_gate.domain.places import normalise
from compliance_gate.ports import Deps, Keys, Transaction
from outdial_contracts.events import Consent, LeadReady
from outdial_contracts.identity import TokenKeys

E164 = re.compile(r"\+[0-9]{8,15}")
LOOK_BACK = timedelta(days=62)
"""No cap or cool-down of a pack looks further back (FR-REFUSAL-60D)."""


def canonical_offer(offer: LeadReady, deps: Deps) -> LeadReady:
    """The offer with its number in E.164 and with our own newest tokens, whatever the sender computed."""
    phone = normalise(offer.phone, "US", deps.pack.geography) or offer.phone
    return replace(
        offer,
        phone=phone,
        person_token=deps.tokens.person_token(offer.person_id),
        callee_token=deps.tokens.callee_token(phone),
    )


def tokens_of(offer: LeadReady, tokens: TokenKeys) -> tuple[str, ...]:
    """Tokens of the person and the number under every key version."""
    return tokens.person_tokens(offer.person_id) + tokens.callee_tokens(offer.phone)


def keys_of(offer: LeadReady, tokens: TokenKeys) -> Keys:
    """The tokens that never change."""
    return Keys(person=tokens.person_tokens(offer.person_id)[0], number=tokens.callee_tokens(offer.phone)[0])


def distinct(consents: tuple[Consent, ...]) -> tuple[Consent, ...]:
    """One consent per id; of several the last, with the earliest revocation of them all."""
    by_id: dict[str, Consent] = {}
    for consent in consents:
        revoked = [c.revoked_at for c in (consent, by_id.get(consent.consent_id)) if c and c.revoked_at]
        by_id[consent.consent_id] = replace(consent, revoked_at=min(revoked, default=None))
    return tuple(by_id.values())


async def known_of(
    tx: Transaction, offer: LeadReady, consents: tuple[Consent, ...], now: datetime, deps: Deps
) -> Known:
    """Suppressions, attempts and reservations of the offer's person and number, its own left out."""
    suppressions: tuple[Suppression, ...] = await tx.suppressions(tokens_of(offer, deps.tokens))
    attempts = await tx.attempts(keys_of(offer, deps.tokens), now - LOOK_BACK, now, but=offer.attempt_id)
    lists = copies_of(offer.phone, deps)
    return Known(consents=consents, suppressions=suppressions, attempts=attempts, lists=lists)


def copies_of(phone: str, deps: Deps) -> Mapping[str, ListCopy]:
    """What the lists' copies say of a number; nothing of what is no number."""
    return deps.lists.copies(phone) if E164.fullmatch(phone) else {}
