"""What a CRM is told, word for word, and what it must never be told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from disposition.cli import webhook_schema
from disposition.domain.payloads import (
    PASSING,
    AttemptWebhook,
    LeadWebhook,
    SuppressionWebhook,
    Webhook,
    of_disposition,
    of_lead,
    of_suppression,
)
from outdial_contracts import events as ev
from outdial_contracts.base import Event

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
SCHEMA = Path(__file__).parents[3] / "schemas" / "webhooks" / "webhook.schema.json"
GOLDEN = Path(__file__).parent / "webhooks"
AT = datetime(2026, 11, 17, 15, 0, 0, 123456, tzinfo=UTC)


def example(kind: type[Event], **changes: Any) -> Any:
    """The typical example of the contract."""
    raw = json.loads((EXAMPLES / kind.TOPIC / "typical.json").read_text())
    return msgspec.convert({**raw, **changes}, kind)


def made() -> dict[str, Webhook]:
    lead = of_lead(example(ev.LeadState, status="DONE", is_final=True))
    suppression = of_suppression(example(ev.SuppressionChanged), "spring-renewal", "https://crm.example.test/hook")
    assert lead is not None
    assert suppression is not None
    disposition = of_disposition(example(ev.CallDisposition, code="DNC_REQUESTED", dnc=True), "9c6f4a1e")
    return {w.type: w for w in (disposition, lead, suppression)}


@pytest.mark.parametrize("kind", ["call.disposition", "lead.state", "suppression.changed"])
def test_the_body_is_the_one_that_is_documented(kind: str) -> None:
    webhook = made()[kind]
    golden = json.loads((GOLDEN / f"{kind}.json").read_text())
    assert json.loads(webhook.body) == golden["body"]
    assert webhook.webhook_id == golden["webhook_id"], "a receiver deduplicates by it: it must never change"
    assert webhook.subject == golden["subject"]


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("call.disposition", AttemptWebhook),
        ("lead.state", LeadWebhook),
        ("suppression.changed", SuppressionWebhook),
    ],
)
def test_the_body_has_the_shape_of_the_public_schema(kind: str, shape: type[Any]) -> None:
    msgspec.json.decode(made()[kind].body, type=shape)
    members = json.loads(webhook_schema())["$defs"]
    declared = members[shape.__name__]["properties"]["data"]["$ref"].rpartition("/")[2]
    assert set(json.loads(made()[kind].body)["data"]) == set(members[declared]["properties"])


def test_the_schema_file_is_the_one_the_code_makes() -> None:
    assert SCHEMA.read_text() == webhook_schema(), "run: python -m disposition webhook-schema"


def test_no_number_and_no_token_is_told() -> None:
    for webhook in made().values():
        for secret in ("+12125550101", "2125550101", "caller_id", "callee_token", "1.kT0y3vJ9m2", "1.pQ8x7wZ5n4"):
            assert secret not in webhook.body


def test_each_revision_is_another_webhook_and_each_repeat_the_same() -> None:
    first, again, second = (of_disposition(example(ev.CallDisposition, revision=n), None) for n in (1, 1, 2))
    assert first.webhook_id == again.webhook_id != second.webhook_id
    states = [of_lead(example(ev.LeadState, status="WAITING", revision=n)) for n in (1, 1, 2)]
    ids = [webhook.webhook_id for webhook in states if webhook is not None]
    assert ids[0] == ids[1] != ids[2]


def test_endpoints_of_one_suppression_get_a_webhook_each() -> None:
    urls = ["https://a.example.test/", "https://b.example.test/"]
    ids = {made.webhook_id for url in urls if (made := of_suppression(example(ev.SuppressionChanged), "c1", url))}
    assert len(ids) == 2


@pytest.mark.parametrize("status", sorted(ev.LeadStatus))
def test_every_status_but_a_passing_one_is_told(status: ev.LeadStatus) -> None:
    assert (of_lead(example(ev.LeadState, status=status)) is None) == (status in PASSING)


def test_a_final_status_is_always_told() -> None:
    for status in PASSING:
        assert status not in {ev.LeadStatus.DONE, ev.LeadStatus.EXHAUSTED, ev.LeadStatus.SUPPRESSED}


def test_a_bulk_list_is_not_told_one_by_one() -> None:
    assert of_suppression(example(ev.SuppressionChanged, source="IMPORT"), "c1", "https://a.example.test/") is None


def test_the_suppression_is_named_only_where_the_person_asked_for_it() -> None:
    webhook = of_disposition(example(ev.CallDisposition, dnc=False), "9c6f4a1e")
    assert json.loads(webhook.body)["data"]["suppression_id"] is None
