"""Offers and clearances: each decided once, closed once, redeemed once; supply and attempts are counted right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from outdial_contracts.events import ComplianceBlocked, ComplianceCleared, LeadReady, LeadState, PacingDemand, TeamOwner
from outdial_world.invariants.facts import Facts, by_attempt
from outdial_world.invariants.violation import Name, Violation

TAKEOVER = timedelta(seconds=60)
"""Clearances of so long before a takeover may be read by the new owner."""


def check(facts: Facts) -> Iterator[Violation]:
    """All of them."""
    yield from _decided(facts)
    yield from _closed(facts)
    yield from _redeemed(facts)
    yield from _supply(facts)
    yield from _cleared_counted(facts)
    yield from _attempts_counted(facts)


def _decided(facts: Facts) -> Iterator[Violation]:
    decisions = by_attempt([*facts.unique(ComplianceCleared), *facts.unique(ComplianceBlocked)])
    dead = {r.event.attempt_id for r in facts.history.records if r.dead and isinstance(r.event, LeadReady)}
    for attempt_id in facts.offers:
        number = len(decisions.get(attempt_id, ()))
        if number != 1 and attempt_id not in dead:
            detail = f"the offer has {number} decisions, not one"
            yield Violation(name=Name.OFFER_DECIDED_ONCE, detail=detail, attempt_id=attempt_id)
    for attempt_id in decisions.keys() - facts.offers.keys():
        detail = "decided, never offered"
        yield Violation(name=Name.OFFER_DECIDED_ONCE, detail=detail, attempt_id=attempt_id)


def _closed(facts: Facts) -> Iterator[Violation]:
    for attempt_id in facts.cleared:
        number = len(facts.closed.get(attempt_id, ()))
        if number != 1:
            detail = f"the cleared offer has {number} clearance.closed, not one"
            yield Violation(name=Name.CLEARANCE_CLOSED_ONCE, detail=detail, attempt_id=attempt_id)
    for attempt_id in facts.closed.keys() - facts.cleared.keys():
        detail = "closed, never cleared"
        yield Violation(name=Name.CLEARANCE_CLOSED_ONCE, detail=detail, attempt_id=attempt_id)


def _redeemed(facts: Facts) -> Iterator[Violation]:
    """One leg is granted to one nonce, and what was granted was announced as redeemed."""
    for (attempt_id, leg_no), grants in facts.grants.items():
        nonces = {rpc.request.nonce for rpc in grants}
        if len(nonces) > 1:
            detail = f"leg {leg_no} was granted to {len(nonces)} nonces"
            yield Violation(name=Name.REDEEMED_ONCE, detail=detail, attempt_id=attempt_id, at=grants[-1].answered_at)
        if attempt_id not in facts.redeemed:
            detail = f"leg {leg_no} was granted, and no clearance.closed says redeemed"
            yield Violation(name=Name.REDEEMED_ONCE, detail=detail, attempt_id=attempt_id, at=grants[0].answered_at)


def _supply(facts: Facts) -> Iterator[Violation]:
    """Offers sent less those blocked (or undecided when they expired) never exceed what was wanted in that epoch."""
    wanted: dict[tuple[str, int], int] = {}
    for demand in facts.history.events(PacingDemand):
        key = demand.campaign_id, demand.epoch
        wanted[key] = max(wanted.get(key, 0), demand.wanted_total)
    supplied: Counter[tuple[str, int]] = Counter()
    blocked = {_event(r).attempt_id for r in facts.unique(ComplianceBlocked)}
    for record in facts.unique(LeadReady):
        offer = _event(record)
        decided = facts.cleared.get(offer.attempt_id)
        replaced = decided is None or decided.at > offer.expires_at
        if offer.attempt_id not in blocked and not replaced:
            supplied[offer.campaign_id, offer.epoch] += 1
    for (campaign_id, epoch), number in supplied.items():
        most = wanted.get((campaign_id, epoch), 0)
        if number > most:
            detail = f"{number} offers were cleared in epoch {epoch}, {most} were wanted"
            yield Violation(name=Name.SUPPLY_WITHIN_DEMAND, detail=detail)


def _cleared_counted(facts: Facts) -> Iterator[Violation]:
    owners = {_event(r).team_id: r for r in facts.unique(TeamOwner)}
    first = {team_id: r.ce_id for r in reversed(facts.unique(TeamOwner)) for team_id in [_event(r).team_id]}
    cleared: dict[str, list[Any]] = defaultdict(list)
    for record in facts.cleared.values():
        cleared[_event(record).campaign_id].append(record)
    for team_id, state in facts.history.final.teams.items():
        owner = owners.get(team_id)
        for campaign in state.campaigns.values():
            records = cleared[campaign.campaign_id]
            changed_hands = owner is not None and first[team_id] != owner.ce_id
            since = owner.at - TAKEOVER if owner is not None and changed_hands else facts.history.started_at
            most = sum(record.at >= since for record in records)
            counted = campaign.supply.cleared_total
            if counted > most or (not changed_hands and counted != most):
                detail = f"the pacer counts {counted} cleared offers, there are {most}"
                yield Violation(name=Name.CLEARED_COUNTED_ONCE, detail=detail)


def _attempts_counted(facts: Facts) -> Iterator[Violation]:
    newest: dict[str, LeadState] = {}
    for state in facts.history.events(LeadState):
        if state.lead_id not in newest or state.revision >= newest[state.lead_id].revision:
            newest[state.lead_id] = state
    redeemed = Counter(r.event.context.lead_id for r in facts.redeemed.values())
    forgotten = Counter(r.event.context.lead_id for r in facts.redeemed.values() if r.attempt_id in facts.forgotten)
    for lead_id, number in redeemed.items():
        said = newest[lead_id].attempts if lead_id in newest else 0
        if not number - forgotten[lead_id] <= said <= number:
            detail = f"lead-router counts {said} attempts of a lead that was redeemed {number} times"
            yield Violation(name=Name.ATTEMPTS_COUNTED, detail=detail)


def _event(record: Any) -> Any:
    return record.event
