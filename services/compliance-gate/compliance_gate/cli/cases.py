"""Cases in the rule pack's test format (FORMAT.md): one JSON object per line -> facts and an instant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from compliance_gate.domain.facts import (
    Attempt,
    Call,
    Facts,
    Lead,
    ListCopy,
    Relation,
    Suppression,
    Suspension,
)
from compliance_gate.domain.places import normalise
from compliance_gate.domain.rules import Geography
from outdial_contracts.events import Address, CallMode, Consent, ConsentLevel, LineType, Purpose, RuleOutcome

T = TypeVar("T")
Kind = TypeVar("Kind", bound=Enum)
Fields = Mapping[str, Any]


class CaseError(ValueError):
    """A case breaks FORMAT.md; the text names the field and what is wanted, never a value."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line."""

    case_id: Any
    now: datetime
    facts: Facts
    expected: Fields | None
    """What the line says should come out, where it says so; never looked at by the evaluation."""


def case_of(line: Any, geography: Geography) -> Case:
    """Reads one line's object; unknown keys are ignored. Raises CaseError."""
    case = _mapping(line, "the line")
    lead = _mapping(_field(case, "lead"), "lead")
    phone, region = _text(lead, "lead.phone"), _text(lead, "lead.default_region")
    e164 = normalise(phone, region, geography)
    match = _Match(person_id=_text(lead, "lead.person_id"), e164=e164, region=region, geography=geography)
    facts = Facts(
        call=_call(_mapping(_field(case, "call"), "call")),
        lead=_lead(lead, phone, region),
        consents=tuple(_each(lead, "lead.consents", _consent)),
        suppressions=tuple(s for s in _each(lead, "lead.internal_dnc", match.suppression) if s is not None),
        relations=tuple(_each(lead, "lead.ebr", _relation)),
        attempts=tuple(a for a in _each(case, "attempts", match.attempt) if a is not None),
        lists={name: _list_copy(name, copy) for name, copy in _mapping(_field(case, "lists"), "lists").items()},
        suspensions=tuple(_each(case, "suspensions", _suspension)),
        dependencies_down=frozenset(n for n, s in _mapping(_field(case, "deps"), "deps").items() if s != "up"),
    )
    return Case(case_id=case.get("id"), now=_instant(case, "now_utc"), facts=facts, expected=case.get("expected"))


@dataclass(frozen=True, kw_only=True)
class _Match:
    """RULES.md 5.4, 5.5: an entry concerns this lead by its person or by its number, in E.164."""

    person_id: str
    e164: str | None
    region: str
    geography: Geography

    def same_number(self, entry: Fields) -> bool:
        phone = entry.get("phone")
        if not isinstance(phone, str) or self.e164 is None:
            return False
        return normalise(phone, entry.get("default_region") or self.region, self.geography) == self.e164

    def suppression(self, entry: Fields) -> Suppression | None:
        if entry.get("person_id") != self.person_id and not self.same_number(entry):
            return None
        return Suppression(seller_id=_text(entry, "seller_id"), requested_at=_instant(entry, "requested_at"))

    def attempt(self, entry: Fields) -> Attempt | None:
        same_number = self.same_number(entry)
        if entry.get("person_id") != self.person_id and not same_number:
            return None
        return Attempt(
            attempt_id="",
            at=_instant(entry, "at"),
            seller_id=_text(entry, "seller_id"),
            topic_id=_text(entry, "topic"),
            purpose=_symbol(entry, "purpose", Purpose),
            mode=_symbol(entry, "mode", CallMode),
            outcomes=(_symbol(entry, "outcome", RuleOutcome),),
            debt_id=entry.get("debt_id"),
            same_number=same_number,
        )


def _call(call: Fields) -> Call:
    return Call(
        seller_id=_text(call, "call.seller_id"),
        topic_id=_text(call, "call.topic"),
        purpose=_symbol(call, "call.purpose", Purpose),
        mode=_symbol(call, "call.mode", CallMode),
        debt_id=call.get("debt_id"),
        agent_guaranteed=_field(call, "call.agent_guaranteed") is True,
    )


def _lead(lead: Fields, phone: str, region: str) -> Lead:
    address = lead.get("address")
    place = _mapping(address, "lead.address") if address is not None else {}
    return Lead(
        phone=phone,
        default_region=region,
        line_type=_symbol(lead, "lead.line_type", LineType),
        consumer=_field(lead, "lead.consumer") is True,
        address=Address(**{k: place.get(k) or None for k in ("country", "region", "postal_code", "time_zone")}),
        rnd_disconnected_at=_maybe(lead, "lead.rnd_disconnected_at"),
    )


def _consent(consent: Fields) -> Consent:
    evidence = consent.get("evidence") or {}
    return Consent(
        consent_id=str(consent.get("consent_id")),
        seller_id=_text(consent, "seller_id"),
        purpose=_text(consent, "purpose"),
        channel=_text(consent, "channel"),
        level=_symbol(consent, "level", ConsentLevel),
        granted_at=_instant(consent, "granted_at"),
        expires_at=_maybe(consent, "expires_at"),
        revoked_at=_maybe(consent, "revoked_at"),
        source=evidence.get("source"),
        captured_at=_maybe(evidence, "captured_at") if evidence.get("captured_at") else None,
        ip=evidence.get("ip"),
        text_sha256=evidence.get("text_sha256"),
        signature_ref=evidence.get("signature_ref"),
    )


def _relation(entry: Fields) -> Relation:
    return Relation(
        seller_id=_text(entry, "seller_id"),
        last_transaction_at=_maybe(entry, "last_transaction_at"),
        last_inquiry_at=_maybe(entry, "last_inquiry_at"),
        contract_active=entry.get("contract_active") is True,
    )


def _suspension(entry: Fields) -> Suspension:
    return Suspension(region=_text(entry, "region"), starts_at=_instant(entry, "from"), ends_at=_maybe(entry, "until"))


def _list_copy(name: str, copy: Any) -> ListCopy:
    fields = _mapping(copy, f"lists.{name}")
    return ListCopy(as_of=_instant(fields, "as_of"), listed=_field(fields, "listed") is True)


def _each(fields: Fields, name: str, read: Callable[[Fields], T]) -> list[T]:
    entries = _field(fields, name)
    if not isinstance(entries, list):
        raise CaseError(f"{name}: want a list")
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(read(_mapping(entry, "an entry")))
        except CaseError as error:
            raise CaseError(f"{name}[{number}].{error}") from None
    return found


def _field(fields: Fields, name: str) -> Any:
    key = name.rpartition(".")[2]
    if key not in fields:
        raise CaseError(f"{name} is missing")
    return fields[key]


def _mapping(value: Any, name: str) -> Fields:
    if not isinstance(value, Mapping):
        raise CaseError(f"{name}: want an object")
    return value


def _text(fields: Fields, name: str) -> str:
    value = _field(fields, name)
    if not isinstance(value, str):
        raise CaseError(f"{name}: want a text")
    return value


def _symbol(fields: Fields, name: str, kind: type[Kind]) -> Kind:
    value = _field(fields, name)
    known = {member.value.lower(): member for member in kind}
    if value not in known:
        raise CaseError(f"{name}: want one of {', '.join(known)}")
    return known[value]


def _instant(fields: Fields, name: str) -> datetime:
    value = _field(fields, name)
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise CaseError(f"{name}: want YYYY-MM-DDTHH:MM:SSZ") from None


def _maybe(fields: Fields, name: str) -> datetime | None:
    return None if _field(fields, name) is None else _instant(fields, name)
