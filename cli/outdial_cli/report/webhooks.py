"""The books of webhooks: what the topics say and what the CRM took must be the same, each thing once and verified."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from outdial_cli.records import Record
from outdial_contracts.events import CallDisposition, LeadState, LeadStatus

TOLD_TOPICS = ("call.disposition", "lead.state")
NOT_TOLD = frozenset({LeadStatus.UNKNOWN, LeadStatus.NEW, LeadStatus.OFFERED, LeadStatus.ATTEMPTING})
"""docs/webhooks.md: where a lead stays for seconds."""
Told = tuple[str, str, int]
"""(topic, attempt_id or lead_id, revision)."""


def webhook_books(records: Mapping[str, list[Record]], crm_log: Path, campaign_id: str) -> dict[str, Any]:
    """Counts per topic, and what differs.

    Args:
        records: of TOLD_TOPICS.
        crm_log: the simulated CRM's crm.jsonl.
        campaign_id: the campaign whose webhooks the CRM takes.
    """
    lines = _lines(crm_log)
    events = Counter(line["event"] for line in lines)
    taken = Counter(told for line in lines if line["event"] == "taken" and (told := _told(line["body"])))
    expected = expected_webhooks(records, campaign_id)
    return {
        "expected": dict(Counter(topic for topic, _, _ in expected)),
        "delivered": dict(Counter(topic for topic, _, _ in taken)),
        "missing": len(expected - set(taken)),
        "unexpected": len(set(taken) - expected),
        "taken_twice": sum(1 for times in taken.values() if times > 1),
        "repeated": events["repeated"],
        "failed": events["failed"],
        "forged": events["forged"],
    }


def expected_webhooks(records: Mapping[str, list[Record]], campaign_id: str) -> set[Told]:
    """What the topics say that the CRM must be told."""
    expected: set[Told] = set()
    for record in (r for topic in TOLD_TOPICS for r in records.get(topic, ())):
        event = record.event
        if isinstance(event, CallDisposition) and event.campaign_id == campaign_id:
            expected.add((record.topic, event.attempt_id, event.revision))
        if isinstance(event, LeadState) and event.campaign_id == campaign_id and event.status not in NOT_TOLD:
            expected.add((record.topic, event.lead_id, event.revision))
    return expected


def webhook_identities(books: Mapping[str, Any]) -> Iterable[tuple[str, bool]]:
    """(identity, whether it holds)."""
    yield "every disposition and lead state reached the CRM, verified", books["missing"] == 0
    yield "the CRM was told nothing that did not happen", books["unexpected"] == 0
    yield "the CRM took each webhook once", books["taken_twice"] == 0
    yield "no webhook was forged", books["forged"] == 0


def _told(body: Mapping[str, Any]) -> Told | None:
    """Of a body; None for a suppression, which is no record of one lead or attempt."""
    data, topic = body["data"], str(body["type"])
    if topic not in TOLD_TOPICS:
        return None
    return topic, str(data["attempt_id"] if topic == "call.disposition" else data["lead_id"]), int(data["revision"])


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines of a crm.jsonl; none where no CRM ran."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1] if line]
