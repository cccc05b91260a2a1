"""Loads what the store knows of persons and numbers, many at once; for the decision, the last look and preflight."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Generic, TypeVar

from compliance_gate.domain.facts import Attempt, ListCopy, Suppression
from compliance_gate.domain.offers import Known
from compliance_gate.domain.places import normalise
from compliance_gate.ports import Deps, Keys, Transaction
from outdial_contracts.events import Consent, LeadReady, Relation
from outdial_contracts.identity import TokenKeys

E164 = re.compile(r"\+[0-9]{8,15}")
Fact = TypeVar("Fact", bound=Hashable)
LOOK_BACK = timedelta(days=62)
"""No cap or cool-down of a pack looks further back (FR-REFUSAL-60D)."""


def canonical_offer(offer: LeadReady, deps: Deps) -> LeadReady:
    """The offer with its number in E.164 and with our own newest tokens, whatever the sender computed."""
    return taken_up(offer, deps)[0]


def taken_up(offer: LeadReady, deps: Deps) -> tuple[LeadReady, Party]:
    """The offer in canonical form, and its party."""
    phone = normalise(offer.phone, "US", deps.pack.geography) or offer.phone
    party = party_of(offer.person_id, phone, deps, distinct(offer.consents), offer.attempt_id)
    return replace(offer, phone=phone, person_token=party.persons[-1], callee_token=party.numbers[-1]), party


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
        before = by_id.get(consent.consent_id)
        revoked = [c.revoked_at for c in (consent, before) if c and c.revoked_at]
        by_id[consent.consent_id] = replace(consent, revoked_at=min(revoked, default=None)) if before else consent
    return tuple(by_id.values())


def told_relations(offer: LeadReady, now: datetime, deps: Deps) -> list[tuple[str, Relation]]:
    """What the offer says of its person's relations, by the person's key; nobody knows anything of later than now."""
    key = deps.tokens.person_tokens(offer.person_id)[0]
    return [(key, replace(relation, as_of=min(relation.as_of, now))) for relation in offer.relations]


@dataclass(frozen=True, kw_only=True)
class Party:
    """A person and a number of whom facts are wanted."""

    phone: str
    """E.164 where the number is valid."""
    persons: tuple[str, ...]
    """Tokens of the person under every key version, the oldest first."""
    numbers: tuple[str, ...]
    """The same of the number."""
    consents: tuple[Consent, ...] = ()
    attempt_id: str = ""
    """The offer's own attempt, which does not count against it."""

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """What locks and names them."""
        return self.persons + self.numbers

    @cached_property
    def keys(self) -> Keys:
        """The tokens that never change."""
        return Keys(person=self.persons[0], number=self.numbers[0])


def party_of(person_id: str, phone: str, deps: Deps, consents: tuple[Consent, ...] = (), attempt_id: str = "") -> Party:
    """The party of a person and a number.

    Args:
        phone: E.164 where the number is valid.
    """
    persons, numbers = deps.tokens.person_tokens(person_id), deps.tokens.callee_tokens(phone)
    return Party(phone=phone, persons=persons, numbers=numbers, consents=consents, attempt_id=attempt_id)


async def known_of(
    tx: Transaction, offer: LeadReady, consents: tuple[Consent, ...], now: datetime, deps: Deps
) -> Known:
    """What the store knows of one offer's person and number."""
    party = party_of(offer.person_id, offer.phone, deps, consents, offer.attempt_id)
    [known] = await known_of_all(tx, [party], now, deps)
    return known


async def known_of_all(tx: Transaction, parties: Sequence[Party], now: datetime, deps: Deps) -> list[Known]:
    """What the store knows of each party, in their order, by a number of queries that does not grow with them."""
    suppressed, attempted = Index[Suppression](), Index[Attempt]()
    for token, suppression in await tx.suppressions(sorted({t for party in parties for t in party.tokens})):
        suppressed.add((token,), suppression)
    for keys, attempt in await tx.attempts([party.keys for party in parties], now - LOOK_BACK, now):
        attempted.add((keys.person, keys.number), attempt)
    relations = await tx.relations(sorted({party.keys.person for party in parties}))
    reassigned = await tx.reassigned(sorted({party.keys.number for party in parties}))
    suspensions = await tx.suspensions(now)
    return [
        Known(
            consents=party.consents,
            suppressions=suppressed.of(party.tokens),
            attempts=tuple(a for a in attempted.of(party.tokens) if a.attempt_id != party.attempt_id),
            lists=copies_of(party.phone, deps),
            relations=relations.get(party.keys.person, ()),
            suspensions=suspensions,
            reassigned=reassigned.get(party.keys.number, ()),
        )
        for party in parties
    ]


class Index(Generic[Fact]):
    """Facts by the tokens they are found under."""

    def __init__(self) -> None:
        self._found: dict[str, list[Fact]] = {}

    def add(self, tokens: Sequence[str], fact: Fact) -> None:
        """Files it under each of its tokens."""
        for token in tokens:
            self._found.setdefault(token, []).append(fact)

    def of(self, tokens: Sequence[str]) -> tuple[Fact, ...]:
        """Those under any of the tokens, each once."""
        return tuple(dict.fromkeys(fact for token in tokens for fact in self._found.get(token, ())))


def copies_of(phone: str, deps: Deps) -> Mapping[str, ListCopy]:
    """What the lists' copies say of a number; nothing of what is no number."""
    return deps.lists.copies(phone) if E164.fullmatch(phone) else {}
