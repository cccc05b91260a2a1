"""What may be seen at the carrier."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from outdial_contracts.events import CallDisposition, CampaignPublished, CampaignState, StopChanged
from outdial_world.history import RIVAL, Invite
from outdial_world.invariants.facts import Facts, Redeemed
from outdial_world.invariants.violation import Name, Violation

PAUSE_REACHES_THE_GATE = timedelta(seconds=2)
"""campaign.published and stop.changed take their time to the gate."""
LEGAL_HOURS = (8, 21)
"""47 CFR 64.1200(c)(1), by the callee's clock."""


def check(facts: Facts) -> Iterator[Violation]:
    """INVITEs against redemptions, grants, hours and stops."""
    for invite in facts.history.invites:
        yield from _redeemed(facts, invite)
        yield from _in_hours(facts, invite)
    for invites in facts.invites.values():
        yield from _rings_once(invites)
    for redeemed in facts.redeemed.values():
        yield from _invited(facts, redeemed)
    yield from _paused(facts)


def _redeemed(facts: Facts, invite: Invite) -> Iterator[Violation]:
    """Granted to this very boot, and sent before the grant died: counted from before the first request of the nonce."""
    mine = [
        rpc
        for rpc in facts.grants.get((invite.attempt_id, invite.leg_no), ())
        if rpc.request.boot_id == invite.boot_id and rpc.answered_at is not None and rpc.answered_at <= invite.at
    ]
    if not mine or invite.attempt_id not in facts.redeemed:
        detail = f"{invite.gateway} sent an INVITE for leg {invite.leg_no} that the gate never redeemed"
        yield Violation(name=Name.INVITED_WAS_REDEEMED, detail=detail, attempt_id=invite.attempt_id, at=invite.at)
        return
    nonces = {rpc.request.nonce for rpc in mine}
    asked_at = min(
        rpc.asked_at
        for rpc in facts.redeems
        if rpc.request.attempt_id == invite.attempt_id and rpc.request.nonce in nonces
    )
    grant = timedelta(milliseconds=mine[-1].reply.granted.grant_ms)
    if invite.at - asked_at >= grant:
        late = (invite.at - asked_at).total_seconds()
        detail = f"the INVITE left {late:.3f} s after Redeem was asked"
        yield Violation(name=Name.INVITE_WITHIN_GRANT, detail=detail, attempt_id=invite.attempt_id, at=invite.at)


def _rings_once(invites: list[Invite]) -> Iterator[Violation]:
    for earlier, later in combinations(invites, 2):
        if earlier.call_id == later.call_id or earlier.rang_at or earlier.answered_at:
            detail = "a second INVITE after a phone may have rung"
            yield Violation(name=Name.PHONE_RINGS_ONCE, detail=detail, attempt_id=later.attempt_id, at=later.at)


def _invited(facts: Facts, redeemed: Redeemed) -> Iterator[Violation]:
    """Not invited only where the gateway surely said so, or died before it could, or is one that never dials."""
    if redeemed.attempt_id in facts.invites or redeemed.event.gateway_id == RIVAL:
        return
    if any(not end.dialled for end in facts.ended.get(redeemed.attempt_id, ())):
        return
    callers = {rpc.caller for rpc in facts.redeems if rpc.request.attempt_id == redeemed.attempt_id}
    if any(facts.died_after(caller, redeemed.at - timedelta(seconds=1)) for caller in callers):
        return
    detail = "redeemed, never INVITEd, and no gateway said why or died"
    yield Violation(name=Name.REDEEMED_WAS_INVITED, detail=detail, attempt_id=redeemed.attempt_id, at=redeemed.at)


def _in_hours(facts: Facts, invite: Invite) -> Iterator[Violation]:
    redeemed = facts.redeemed.get(invite.attempt_id)
    zone = redeemed.event.context.local_zone if redeemed else None
    if zone is None:
        return
    local = invite.at.astimezone(ZoneInfo(zone))
    if not LEGAL_HOURS[0] <= local.hour < LEGAL_HOURS[1]:
        detail = f"dialled at {local:%H:%M} of the callee's clock"
        yield Violation(name=Name.NO_DIAL_OUTSIDE_HOURS, detail=detail, attempt_id=invite.attempt_id, at=invite.at)


def _paused(facts: Facts) -> Iterator[Violation]:
    """By redemptions: each is later than a pause that the gate has long known, and earlier than its end."""
    shut = [*_not_running(facts), *_stops(facts)]
    for redeemed in facts.redeemed.values():
        for since, until, scope in shut:
            if not since + PAUSE_REACHES_THE_GATE <= redeemed.at < until or not _covers(facts, scope, redeemed):
                continue
            if facts.stalled("compliance-gate", since, redeemed.at):
                continue
            detail = f"redeemed while {scope} was stopped"
            name = Name.NO_DIAL_WHILE_PAUSED
            yield Violation(name=name, detail=detail, attempt_id=redeemed.attempt_id, at=redeemed.at)


Shut = tuple[datetime, datetime, str]


def _not_running(facts: Facts) -> Iterator[Shut]:
    """(since, until, `campaign:id`) by the state slot of campaign.published."""
    since: dict[str, datetime] = {}
    for record in facts.unique(CampaignPublished):
        event = record.event
        if not isinstance(event, CampaignPublished) or event.document is not None:
            continue
        running = event.state is CampaignState.RUNNING
        if not running:
            since.setdefault(event.campaign_id, record.at)
        elif event.campaign_id in since:
            yield since.pop(event.campaign_id), record.at, f"campaign:{event.campaign_id}"
    for campaign_id, at in since.items():
        yield at, facts.history.ended_at, f"campaign:{campaign_id}"


def _stops(facts: Facts) -> Iterator[Shut]:
    since: dict[str, datetime] = {}
    for record in facts.unique(StopChanged):
        event = record.event
        if isinstance(event, StopChanged) and event.stopped:
            since.setdefault(event.scope, record.at)
        elif isinstance(event, StopChanged) and event.scope in since:
            yield since.pop(event.scope), record.at, event.scope
    for scope, at in since.items():
        yield at, facts.history.ended_at, scope


def _covers(facts: Facts, scope: str, redeemed: Redeemed) -> bool:
    kind, _, what = scope.partition(":")
    offer = facts.offers.get(redeemed.attempt_id)
    named = {
        "campaign": redeemed.event.campaign_id,
        "seller": offer.seller_id if offer else None,
        "state": f"{offer.address.country}-{offer.address.region}" if offer else None,
        "route": redeemed.event.route_id,
    }
    return kind == "all" or named.get(kind) == what


def first_disposition_at(facts: Facts, attempt_id: str) -> datetime | None:
    """When revision 1 was published."""
    records = facts.dispositions.get(attempt_id, ())
    firsts = [r.at for r in records if isinstance(r.event, CallDisposition) and r.event.revision == 1]
    return min(firsts, default=None)
