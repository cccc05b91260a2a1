"""One history, indexed once for all invariants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallDisposition,
    CallEnded,
    CampaignDocument,
    CampaignPublished,
    ClearanceClosed,
    CloseOutcome,
    ComplianceCleared,
    LeadReady,
    LeadState,
)
from outdial_world.history import History, Invite, ProcessChange, Rpc, TopicRecord

ENDINGS = (ProcessChange.CRASHED, ProcessChange.FAILED)


@dataclass(frozen=True, kw_only=True)
class Redeemed:
    """An attempt's redemption, as the gate announced it."""

    attempt_id: str
    at: datetime
    record: TopicRecord
    event: ClearanceClosed


class Facts:
    """Look-ups; everything is by event identity (`ce_id`), so repeats of an event count once."""

    def __init__(self, history: History) -> None:
        self.history = history

    def unique(self, kind: type[Event]) -> list[TopicRecord]:
        """Records of a topic, first appearance of each ce_id, in append order."""
        if kind.TOPIC not in self._unique:
            seen: dict[str, TopicRecord] = {}
            for record in self._by_topic[kind.TOPIC]:
                seen.setdefault(record.ce_id, record)
            self._unique[kind.TOPIC] = list(seen.values())
        return self._unique[kind.TOPIC]

    @cached_property
    def _unique(self) -> dict[str, list[TopicRecord]]:
        return {}

    @cached_property
    def _by_topic(self) -> dict[str, list[TopicRecord]]:
        found: dict[str, list[TopicRecord]] = defaultdict(list)
        for record in self.history.records:
            if not record.dead:
                found[record.topic].append(record)
        return found

    @cached_property
    def offers(self) -> dict[str, LeadReady]:
        """attempt_id -> its offer."""
        found: dict[str, LeadReady] = {}
        for event in self.history.events(LeadReady):
            found.setdefault(event.attempt_id, event)
        return found

    @cached_property
    def cleared(self) -> dict[str, TopicRecord]:
        """attempt_id -> its clearance."""
        return {_attempt(record): record for record in reversed(self.unique(ComplianceCleared))}

    @cached_property
    def closed(self) -> dict[str, list[TopicRecord]]:
        """attempt_id -> its clearance.closed, all of them."""
        return by_attempt(self.unique(ClearanceClosed))

    @cached_property
    def redeemed(self) -> dict[str, Redeemed]:
        """attempt_id -> its redemption, in order of time."""
        found: dict[str, Redeemed] = {}
        for record in self.unique(ClearanceClosed):
            event = record.event
            if isinstance(event, ClearanceClosed) and event.outcome is CloseOutcome.REDEEMED:
                new = Redeemed(attempt_id=event.attempt_id, at=event.closed_at, record=record, event=event)
                found.setdefault(event.attempt_id, new)
        return dict(sorted(found.items(), key=lambda item: (item[1].at, item[1].record.seq)))

    @cached_property
    def forgotten(self) -> frozenset[str]:
        """Attempts on offers that lead-router's database lost with their lead, which came by HTTP after the backup.

        The lead imported again does not learn of them (docs/restore.md, lead-router); the gate does.
        """
        came: dict[str, datetime] = {}
        for state in self.history.events(LeadState):
            came.setdefault(state.lead_id, state.at)
        lost = [(taken_at, at) for service, at, taken_at in self.history.restores if service == "lead-router"]
        return frozenset(
            attempt_id
            for attempt_id, offer in self.offers.items()
            for taken_at, at in lost
            if offer.offered_at <= at and (since := came.get(offer.context.lead_id)) is not None and since >= taken_at
        )

    @cached_property
    def dispositions(self) -> dict[str, list[TopicRecord]]:
        """attempt_id -> its revisions, all of them."""
        return by_attempt(self.unique(CallDisposition))

    @cached_property
    def ended(self) -> dict[str, list[CallEnded]]:
        """attempt_id -> its call.ended."""
        found: dict[str, list[CallEnded]] = defaultdict(list)
        for record in self.unique(CallEnded):
            if isinstance(record.event, CallEnded):
                found[record.event.attempt_id].append(record.event)
        return found

    @cached_property
    def invites(self) -> dict[str, list[Invite]]:
        """attempt_id -> its INVITEs."""
        found: dict[str, list[Invite]] = defaultdict(list)
        for invite in self.history.invites:
            found[invite.attempt_id].append(invite)
        return found

    @cached_property
    def grants(self) -> dict[tuple[str, int], list[Rpc]]:
        """(attempt_id, leg_no) -> Redeem calls that the gate granted."""
        found: dict[tuple[str, int], list[Rpc]] = defaultdict(list)
        for rpc in self.redeems:
            if rpc.granted:
                found[rpc.request.attempt_id, rpc.request.leg_no].append(rpc)
        return found

    @cached_property
    def redeems(self) -> list[Rpc]:
        """All Redeem calls."""
        return [rpc for rpc in self.history.rpcs if rpc.method == "Clearance.Redeem"]

    @cached_property
    def documents(self) -> dict[str, CampaignDocument]:
        """campaign_id -> its newest document."""
        events = self.history.events(CampaignPublished)
        return {event.campaign_id: event.document for event in events if event.document is not None}

    def person(self, attempt_id: str) -> str | None:
        """Whom the attempt is for; None when no offer is known."""
        offer = self.offers.get(attempt_id)
        return offer.person_id if offer else None

    def number(self, attempt_id: str) -> str | None:
        """The number it was offered with."""
        offer = self.offers.get(attempt_id)
        return offer.phone if offer else None

    def died_after(self, instance: str, at: datetime) -> datetime | None:
        """When that process next crashed or failed, if it did."""
        ends = (p.at for p in self.history.processes if p.instance == instance and p.change in ENDINGS and p.at >= at)
        return min(ends, default=None)

    def charged(self, attempt_id: str) -> bool:
        """It counts in every cap: dialled or not known not to be."""
        events = [r.event for r in self.dispositions.get(attempt_id, ()) if isinstance(r.event, CallDisposition)]
        return max(events, key=lambda e: e.revision).charged if events else True

    def stalled(self, service: str, since: datetime, until: datetime) -> bool:
        """Whether a fault on a service (or what it reads) may have kept it from knowing what happened meanwhile."""
        for fault in self.history.faults:
            ends = fault.until or fault.at
            if fault.target.startswith(service) and fault.at <= until and ends >= since:
                return True
        return any(p.service == service and since <= p.at <= until for p in self.history.processes)


def by_attempt(records: Iterable[TopicRecord]) -> dict[str, list[TopicRecord]]:
    """Groups records by their event's attempt."""
    found: dict[str, list[TopicRecord]] = defaultdict(list)
    for record in records:
        found[_attempt(record)].append(record)
    return found


def _attempt(record: TopicRecord) -> str:
    attempt_id: str = getattr(record.event, "attempt_id")  # noqa: B009 (events of these topics all have one)
    return attempt_id
