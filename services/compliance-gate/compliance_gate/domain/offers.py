"""From an offer to facts, and from facts in every mode to one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from compliance_gate.domain.clearance import Allowance
from compliance_gate.domain.decision import Decision, evaluate
from compliance_gate.domain.ends import Shown, agents_at, caller_id_failures, recording_of, shown_of
from compliance_gate.domain.facts import (
    Attempt,
    Call,
    Facts,
    Lead,
    ListCopy,
    PersonCap,
    Relation,
    Suppression,
    Suspension,
)
from compliance_gate.domain.reassigned import disconnected_at
from compliance_gate.domain.rules import RulePack
from outdial_contracts.events import (
    BlockReason,
    CallMode,
    CampaignDocument,
    Consent,
    LeadReady,
    Purpose,
    ReassignedAnswer,
)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the store knows of the person and the number of an offer."""

    consents: tuple[Consent, ...] = ()
    """Those of the offer, with the earliest revocation ever seen."""
    suppressions: tuple[Suppression, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """Attempts and live reservations, the offer's own not among them."""
    lists: Mapping[str, ListCopy] = field(default_factory=dict)
    """What the copies of external lists say of the number."""
    relations: tuple[Relation, ...] = ()
    """Business relationships of the person."""
    suspensions: tuple[Suspension, ...] = ()
    """Every declared emergency that is not over."""
    reassigned: tuple[ReassignedAnswer, ...] = ()
    """What the Reassigned Numbers Database said of the number."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The answer over every mode an attempt may become."""

    reasons: tuple[BlockReason, ...]
    rule_ids: tuple[str, ...]
    next_allowed_at: datetime | None
    allowance: Allowance | None
    """None when blocked."""
    region: str | None
    zone: str | None
    """One local zone of the callee, the first by name."""
    approvers: tuple[str, ...] = ()
    """Of an emergency: who answers for it."""


def facts_of(
    offer: LeadReady, known: Known, document: CampaignDocument, mode: CallMode, ring_seconds: int = 0
) -> Facts:
    """The facts for one mode of an offer."""
    cap = PersonCap(max_attempts=document.retry_max_per_person, window_hours=document.retry_window_hours)
    return Facts(
        call=Call(
            seller_id=offer.seller_id,
            topic_id=offer.topic_id,
            purpose=offer.purpose,
            mode=mode,
            ring_seconds=ring_seconds,
            person_cap=cap,
            debt_id=offer.debt_id,
            agent_guaranteed=offer.agent_guaranteed,
        ),
        lead=Lead(
            phone=offer.phone,
            line_type=offer.line_type,
            consumer=offer.consumer,
            address=offer.address,
            rnd_disconnected_at=disconnected_at(known.reassigned),
        ),
        consents=known.consents,
        suppressions=known.suppressions,
        attempts=known.attempts,
        lists=known.lists,
        relations=known.relations,
        suspensions=known.suspensions,
    )


def clear(
    offer: LeadReady,
    known: Known,
    document: CampaignDocument,
    live: Sequence[tuple[BlockReason, str]],
    now: datetime,
    pack: RulePack,
) -> Outlook:
    """Decides an offer: cleared when some live mode passes (or the only mode asked for), with the modes that passed.

    Args:
        live: reasons of campaign state and stop buttons; they block every mode.
    """
    approvers = document.approvers if offer.purpose is Purpose.EMERGENCY else ()
    live = [*live, *_unapproved(offer.purpose, approvers)]
    facts = {mode: facts_of(offer, known, document, mode) for mode in offer.modes}
    decisions = {mode: evaluate(facts[mode], now, pack) for mode in offer.modes}
    passed = tuple(mode for mode, decision in decisions.items() if decision.allowed)
    deciding = tuple(m for m in offer.modes if m != CallMode.PRERECORDED) or offer.modes
    place = next(iter(decisions.values())).place
    region, zone = (place.region, min(place.zones, default=None)) if place else (None, None)
    shown = shown_of([facts[mode] for mode in passed], place, now, pack) if place else Shown()
    live += caller_id_failures(document.caller_ids, shown, offer.purpose, pack)
    if place and not live and set(passed) & set(deciding):
        allowance = Allowance(
            modes=passed,
            place=place,
            may_play_recording=CallMode.PRERECORDED in passed,
            recording=recording_of([facts[m] for m in passed], place, agents_at(document, pack), now, pack),
            shown=shown,
        )
        cleared = Outlook(reasons=(), rule_ids=(), next_allowed_at=now, allowance=allowance, region=region, zone=zone)
        return replace(cleared, approvers=approvers)
    return replace(_blocked([decisions[m] for m in deciding], live, region, zone), approvers=approvers)


def _unapproved(purpose: Purpose, approvers: Sequence[str]) -> Iterator[tuple[BlockReason, str]]:
    """An emergency passes every other rule, so two different people must have approved its document."""
    if purpose is Purpose.EMERGENCY and len({" ".join(name.split()).casefold() for name in approvers} - {""}) < 2:
        yield BlockReason.APPROVERS_MISSING, "GATE-EMERGENCY-APPROVERS"


def _blocked(
    decisions: Sequence[Decision], live: Sequence[tuple[BlockReason, str]], region: str | None, zone: str | None
) -> Outlook:
    openings = [d.next_allowed_at for d in decisions if d.next_allowed_at is not None]
    return Outlook(
        reasons=tuple(sorted({r for d in decisions for r in d.reasons} | {r for r, _ in live})),
        rule_ids=tuple(sorted({r for d in decisions for r in d.rule_ids} | {r for _, r in live})),
        next_allowed_at=min(openings, default=None) if not live else None,
        allowance=None,
        region=region,
        zone=zone,
    )
