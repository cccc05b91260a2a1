"""Dispositions at hand, and a fake of the fact tables."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from analytics.app import SUBSCRIPTIONS
from analytics.domain.facts import AttemptFact
from analytics.ports import Deps
from outdial_contracts import events as ev
from outdial_contracts.base import Event
from outdial_runtime.outcome import Outcome
from outdial_runtime.service import Received

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


class MemoryFacts:
    def __init__(self) -> None:
        self.facts: dict[str, AttemptFact] = {}
        self.ends: dict[str, tuple[str, str, tuple[str, ...]]] = {}

    async def put(self, fact: AttemptFact) -> bool:
        known = self.facts.get(fact.attempt_id)
        if known is None or known.revision < fact.revision:
            self.facts[fact.attempt_id] = fact
            return True
        return False

    async def put_offer_end(
        self, attempt_id: str, campaign_id: str, outcome: str, reasons: Sequence[str], at: datetime
    ) -> None:
        self.ends.setdefault(attempt_id, (campaign_id, outcome, tuple(reasons)))

    async def of_campaign(self, campaign_id: str) -> list[Mapping[str, Any]]:
        return [asdict(fact) for fact in self.facts.values() if fact.campaign_id == campaign_id]

    async def offer_ends(self, campaign_id: str) -> dict[str, int]:
        return dict(Counter(outcome for campaign, outcome, _ in self.ends.values() if campaign == campaign_id))


def attempt_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def head(number: int, zone: str | None) -> dict[str, Any]:
    context = ev.Context(
        lead_id=str(uuid.UUID(int=1000 + number)),
        attempt_no=2,
        segment=ev.Segment.WARM,
        score_band="0.4-0.6",
        list_source="web",
        region="US-NY",
        local_zone=zone,
    )
    return {
        "attempt_id": attempt_id(number),
        "team_id": "blue",
        "campaign_id": "c1",
        "campaign_version": 3,
        "context": context,
    }


@pytest.fixture(scope="session")
def disposed() -> Callable[..., ev.CallDisposition]:
    """Makes the disposition of attempt `number`; anything may be changed."""

    def make(number: int = 1, zone: str | None = "America/New_York", **changes: Any) -> ev.CallDisposition:
        event = ev.CallDisposition(
            **head(number, zone),
            lead_id=str(uuid.UUID(int=1000 + number)),
            revision=1,
            code=ev.DispositionCode.NO_ANSWER,
            final=False,
            reached=True,
            human_answer=False,
            connected=False,
            abandoned=False,
            conversation=False,
            right_party=False,
            conversion=False,
            dnc=False,
            charged=True,
            end_class=ev.EndClass.NO_ANSWER,
            fault=ev.Fault.CALLEE,
            redeemed_at=NOW,
            closed_by_deadline=False,
            disposed_at=NOW,
        )
        return replace(event, **changes)

    return make


@pytest.fixture(scope="session")
def closed() -> Callable[..., ev.ClearanceClosed]:
    """Makes the closing of offer `number`."""

    def make(number: int, outcome: str) -> ev.ClearanceClosed:
        return ev.ClearanceClosed(
            **head(number, None),
            outcome=ev.CloseOutcome(outcome),
            reason=ev.CloseReason.RULES,
            block_reasons=(ev.BlockReason.HOURS,),
            mode=ev.CallMode.LIVE_AUTODIALED,
            ring_timeout_seconds=18,
            closed_at=NOW,
        )

    return make


@pytest.fixture(scope="session")
def blocked() -> Callable[[int], ev.ComplianceBlocked]:
    """Makes the block of offer `number`."""

    def make(number: int) -> ev.ComplianceBlocked:
        reasons = (ev.BlockReason.HOURS, ev.BlockReason.COOLDOWN)
        return ev.ComplianceBlocked(**head(number, None), reasons=reasons, epoch=1, rule_pack="2026.1", blocked_at=NOW)

    return make


@pytest.fixture(scope="session")
def take() -> Callable[[Event, Any], Any]:
    """Handles an event over a fact store."""

    async def handle(event: Event, facts: Any) -> Outcome:
        message = Received(
            event=event,
            cause=uuid.uuid4().hex,
            time=NOW,
            now=NOW,
            topic=event.TOPIC,
            partition=0,
            offset=0,
            raw=b"",
        )
        return await SUBSCRIPTIONS[type(event)].handler(message, Deps(facts=facts))

    return handle


@pytest.fixture(scope="session")
def new_facts() -> Callable[[], MemoryFacts]:
    """For properties: each example needs tables of its own."""
    return MemoryFacts
