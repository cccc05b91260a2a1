"""The CRM's journal against the topics: what is missing, made up, forged or taken twice is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from outdial_cli.records import Record
from outdial_cli.report.webhooks import webhook_books
from outdial_contracts.base import Event
from outdial_contracts.events import CallDisposition, LeadState

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
CAMPAIGN = "spring-renewal"


def record(kind: type[Event], **changes: Any) -> Record:
    raw = json.loads((EXAMPLES / kind.TOPIC / "typical.json").read_text())
    event = msgspec.convert({**raw, **changes}, kind)
    place: dict[str, Any] = {"partition": 0, "offset": 0, "timestamp_ms": 0, "key": b"", "value": b"", "headers": {}}
    return Record(topic=kind.TOPIC, ce_id="", event=event, **place)


def taken(topic: str, subject: str, revision: int, event: str = "taken") -> dict[str, Any]:
    name = "attempt_id" if topic == "call.disposition" else "lead_id"
    return {"event": event, "body": {"type": topic, "data": {name: subject, "revision": revision}}}


RECORDS = {
    "call.disposition": [
        record(CallDisposition, attempt_id="a", revision=1),
        record(CallDisposition, attempt_id="a", revision=2),
        record(CallDisposition, attempt_id="theirs", campaign_id="another"),
    ],
    "lead.state": [record(LeadState, lead_id="l", status=s, revision=n) for n, s in enumerate(("NEW", "DONE"), 1)],
}
ALL = [taken("call.disposition", "a", 1), taken("call.disposition", "a", 2), taken("lead.state", "l", 2)]


def books(folder: Path, lines: list[dict[str, Any]]) -> dict[str, Any]:
    log = folder / "crm.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"torn')
    return webhook_books(RECORDS, log, CAMPAIGN)


def test_all_that_happened_was_told_and_nothing_else(tmp_path: Path) -> None:
    suppression = {"event": "taken", "body": {"type": "suppression.changed", "data": {"suppression_id": "s"}}}
    found = books(tmp_path, [*ALL, suppression, taken("lead.state", "l", 2, "repeated")])
    assert found["expected"] == found["delivered"] == {"call.disposition": 2, "lead.state": 1}
    assert (found["missing"], found["unexpected"], found["taken_twice"], found["repeated"]) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("lines", "counted"),
    [
        (ALL[1:], {"missing": 1}),
        ([*ALL, taken("call.disposition", "a", 3)], {"unexpected": 1}),
        ([*ALL, ALL[0]], {"taken_twice": 1}),
        ([*ALL, {"event": "forged"}], {"forged": 1}),
        ([{"event": "failed"}], {"missing": 3, "failed": 1}),
    ],
)
def test_each_difference_is_counted(tmp_path: Path, lines: list[dict[str, Any]], counted: dict[str, int]) -> None:
    found = books(tmp_path, lines)
    wrong = {name: n for name, n in found.items() if isinstance(n, int) and n}
    assert wrong == counted


def test_a_run_without_a_crm_misses_everything(tmp_path: Path) -> None:
    assert webhook_books(RECORDS, tmp_path / "none.jsonl", CAMPAIGN)["missing"] == 3
