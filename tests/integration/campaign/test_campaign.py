"""A campaign over real Kafka, PostgreSQL, SIP and RTP: trace edges as a list, books, no number where none may be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from campaign_run import Plan, dump_events, run
from stranger import broken, count, lines

from outdial_cli.records import TopicReader
from outdial_cli.report.facts import PATH_TOPICS, Attempt, gather
from outdial_cli.report.traces import missing_of
from outdial_cli.stack.stack import Stack
from outdial_contracts.events import EndClass
from outdial_contracts.identity import trace_id

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
TELEMETRY = Path(__file__).resolve().parents[3] / "schemas" / "telemetry"
CAMPAIGN = "walk"
SCENARIO = {
    "schema": 1,
    "seed": 11,
    "clock_start": "2026-11-17T15:00:00Z",
    "agents": {"count": 6, "login_spread_seconds": 1, "talk_mean_seconds": 4, "talk_cv": 0.4, "wrap_mean_seconds": 1},
    "carrier": {"pdd_ms": [100, 300], "digest": True, "loss": 0.0},
    "callees": {
        "mix": {
            "human": 0.35, "voicemail": 0.2, "no_answer": 0.1, "busy": 0.1, "sit": 0.08, "not_found": 0.05,
            "unavailable": 0.05, "dead_air": 0.05, "hangup": 0.02,
        },
        "ring_seconds": {"human": [1, 3], "voicemail": [1, 3]},
    },
}  # fmt: skip
EDGES = [
    ("lead-router", "lead.ready publish", "compliance-gate", "lead.ready process"),
    ("compliance-gate", "lead.ready process", "pacer", "compliance.cleared process"),
    ("pacer", "compliance.cleared process", "media-gateway", "call.dial process"),
    ("media-gateway", "call redeem", "compliance-gate", "Clearance.Redeem"),
    ("compliance-gate", "Clearance.Redeem", "disposition", "clearance.closed process"),
    ("media-gateway", "call assign", "pacer", "AgentRouter.Assign"),
    ("disposition", "call.ended process", "lead-router", "call.disposition process"),
]


class Ran:
    """What the campaign left behind."""

    def __init__(self, stack: Stack, folder: Path, rows: list[dict[str, str]]) -> None:
        self.stack, self.folder, self.rows = stack, folder, rows
        records = TopicReader(stack.bootstrap, stack.topic_prefix).read(PATH_TOPICS)
        self.facts = gather(records, stack.carrier_log, stack.agents_log, stack.spans_log)

    @property
    def attempts(self) -> list[Attempt]:
        return [a for a in self.facts.attempts.values() if a.redeemed and a.closed[0].campaign_id == CAMPAIGN]


@pytest.fixture(scope="module")
def ran(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("campaign")
    plan = Plan(campaign_id=CAMPAIGN, team_id="walkers", scenario=SCENARIO, leads=120, seconds=30)
    rows = run(stack, folder, plan)
    return Ran(stack, folder, rows)


def test_invariants_hold_when_a_stranger_counts(ran: Ran) -> None:
    events = ran.folder / "events.jsonl"
    dump_events(ran.stack, events)
    counts = count(lines(str(ran.stack.carrier_log)), lines(str(events)))
    print(json.dumps({k: v for k, v in counts.items() if not isinstance(v, list)}))
    assert broken(counts) == []
    assert counts["redeemed"] >= 20
    assert counts["redeemed_without_invite"] == 0


def test_people_reach_agents_and_machines_do_not(ran: Ran) -> None:
    ended = [a.ended for a in ran.attempts if a.ended]
    classes = {e.end_class for e in ended}
    assert {EndClass.CONNECTED, EndClass.MACHINE, EndClass.BUSY} <= classes
    kinds = {a.attempt_id: a.carrier[0].kind for a in ran.attempts if a.carrier}
    connected = [a for a in ran.attempts if a.ended and a.ended.end_class is EndClass.CONNECTED]
    people = [a for a in connected if kinds[a.attempt_id] in ("human", "hangup")]
    assert len(people) >= 0.8 * len(connected)


def test_trace_has_every_edge_of_the_pipeline(ran: Ran) -> None:
    found: set[tuple[str, str, str, str]] = set()
    for attempt in ran.attempts:
        spans = {s["span_id"]: s for s in ran.facts.spans.get(trace_id(attempt.attempt_id), [])}
        for span in spans.values():
            parent = spans.get(span.get("parent_id") or "")
            if parent is not None:
                found.add((parent["service"], parent["name"], span["service"], span["name"]))
    missing = [edge for edge in EDGES if edge not in found]
    assert not missing, f"edges missing: {missing}; found: {sorted(found)}"


def test_every_attempt_has_a_complete_trace(ran: Ran) -> None:
    short = {}
    for attempt in ran.attempts:
        missing = missing_of(attempt, ran.facts.spans.get(trace_id(attempt.attempt_id), []))
        if missing:
            short[attempt.attempt_id] = missing
    assert short == {}


def test_no_callee_number_in_any_log_span_or_metric(ran: Ran) -> None:
    needles = _needles(ran.rows)
    found = {}
    for name, text in _haystacks(ran.stack).items():
        hits = {needle for needle in needles if needle in text}
        if hits:
            found[name] = len(hits)
    assert found == {}


def test_telemetry_is_what_the_contract_lists(ran: Ran) -> None:
    listed = yaml.safe_load((TELEMETRY / "spans.yaml").read_text())
    allowed = {attribute["name"] for attribute in listed["attributes"]}
    seen = {key for spans in ran.facts.spans.values() for span in spans for key in span.get("attributes") or {}}
    assert seen == allowed
    metrics = {metric["name"] for metric in yaml.safe_load((TELEMETRY / "metrics.yaml").read_text())["metrics"]}
    for service in ran.stack.addresses.http_ports:
        text = httpx.get(f"{ran.stack.addresses.url(service)}/metrics", timeout=10).text
        families = set(re.findall(r"^# TYPE (outdial_\w+?)(?:_total|_created)? ", text, re.MULTILINE))
        assert families <= metrics, service


def test_number_search_can_find_one(ran: Ran) -> None:
    """The search itself is not blind: the carrier's own log, which may hold numbers, does contain them."""
    text = ran.stack.carrier_log.read_text()
    assert any(needle in text for needle in _needles(ran.rows))


def _needles(rows: list[dict[str, str]]) -> set[str]:
    """Every lead's number in E.164, national and last-seven form."""
    needles = set()
    for row in rows:
        digits = re.sub(r"\D", "", row["phone"])
        national = digits[-10:]
        if len(national) == 10:
            needles |= {f"+1{national}", national, f"{national[3:6]}-{national[6:]}", national[3:]}
    return needles


def _haystacks(stack: Stack) -> dict[str, str]:
    texts: dict[str, str] = {str(p.name): p.read_text(errors="replace") for p in stack.logs_dir.glob("*.log")}
    texts |= {f"infra {p.name}": p.read_text(errors="replace") for p in stack.infra_logs()}
    spans: list[dict[str, Any]] = [json.loads(line) for line in stack.spans_log.read_text().splitlines()]
    # Ids and clock readings are random digits; what people put into a span is its name and attributes.
    texts["spans"] = "\n".join(json.dumps([s["name"], s.get("attributes"), s.get("status")]) for s in spans)
    for service in stack.addresses.http_ports:
        metrics = httpx.get(f"{stack.addresses.url(service)}/metrics", timeout=10).text
        # Names and labels are what people put there; a sample's value may be a clock reading.
        texts[f"metrics {service}"] = "\n".join(line.rsplit(" ", 1)[0] for line in metrics.splitlines())
    return texts
