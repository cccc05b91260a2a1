"""The composition root: what the gate says of itself, and that a boot on a real database decides offers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from compliance_gate import cli
from compliance_gate.adapters.rule_pack import shipped
from compliance_gate.app import NAME, REQUESTS, SUBSCRIPTIONS, build_service, build_tools
from compliance_gate.config import Config
from compliance_gate.domain.ledger import Chain, RecordKind
from compliance_gate.handlers.offers import on_lead_ready
from outdial_contracts.events import BlockReason, ComplianceBlocked, ComplianceCleared
from outdial_contracts.topics import TOPICS
from outdial_runtime.clock import SystemChance
from outdial_runtime.metrics import Metrics
from outdial_runtime.outcome import Emit, Publish
from outdial_runtime.past import TopicPast
from outdial_runtime.service import HttpRoute
from outdial_runtime.spans import Spans
from outdial_runtime.surroundings import Surroundings
from outdial_testing import MemoryBroker, VirtualClock


def empty_past() -> TopicPast:
    """Topics on which nothing was ever said."""
    clock = VirtualClock()
    around = Surroundings(service=NAME, clock=clock, spans=Spans(NAME, NAME), metrics=Metrics())
    return TopicPast(around, MemoryBroker(clock))


@dataclass
class FakeToolkit:
    """The runtime as far as app.py asks it."""

    clock: Any
    outbox: Any
    chance: SystemChance = field(default_factory=SystemChance)
    past: TopicPast = field(default_factory=empty_past)

    def table_outbox(self, pool: Any) -> FakeToolkit:
        return self

    async def write(self, connection: Any, events: Sequence[Emit]) -> None:
        """Nothing relays in this test."""


def test_gate_subscribes_to_the_topics_that_name_it_as_consumer() -> None:
    assert {event.TOPIC for event in SUBSCRIPTIONS} == {t.name for t in TOPICS.values() if NAME in t.consumers}


def test_every_route_is_under_v1_and_listed_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    for route in (r for r in REQUESTS if isinstance(r, HttpRoute)):
        assert f"`{route.path}`" in readme


@pytest.mark.stack
async def test_boot_migrates_opens_its_chains_and_decides(
    fake: Any, a: Any, postgres_dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "new", "--out", str(tmp_path / "keys")], build_tools()) == 0
    env = {
        "OUTDIAL_POSTGRES_DSN": postgres_dsn,
        "OUTDIAL_TOKEN_KEYS": "1:" + "ab" * 16,
        "OUTDIAL_SIGNING_KEY_FILE": str(tmp_path / "keys" / "signing.jwk"),
    }
    await blocked_without_lists(build_service(Config.from_env(env)), fake, a)
    (tmp_path / "US-NDNC.txt").write_text("2125550177\n")
    lists = ["--dir", str(tmp_path / "lists"), "--as-of", f"{a.now:%Y-%m-%dT%H:%M:%SZ}"]
    load = ["lists", "load", "US-NDNC", str(tmp_path / "US-NDNC.txt"), *lists]
    assert await asyncio.to_thread(cli.main, load, build_tools()) == 0
    service = build_service(Config.from_env({**env, "OUTDIAL_LISTS_DIR": str(tmp_path / "lists")}))
    toolkit: Any = FakeToolkit(clock=fake.clock, outbox=fake.outbox)
    geneses, kinds = [], []
    for boot in range(2):
        async with service.build(toolkit) as deps:
            fake.deps = deps
            fake.publish()
            outcome = await on_lead_ready(fake.received(a.offer(person_id=f"p{boot}", phone="+13125550199")), deps)
            assert isinstance(outcome, Publish)
            assert isinstance(outcome.events[0], ComplianceCleared)
            records = await deps.store.records(deps.chains[Chain.DECISIONS])
            geneses.append(json.loads(records[0].body))
            kinds.append([record.kind.value for record in records])
            packs = {json.loads(r.body)["file"]: json.loads(r.body) for r in records if r.kind is RecordKind.PACK}
            assert packs.keys() == {file.name for file in shipped()}
            law = next(file for file in shipped() if file.name == "us_federal.yaml")
            assert packs["us_federal.yaml"]["sha256"] == hashlib.sha256(law.read_bytes()).hexdigest()
            assert packs["us_federal.yaml"]["tzdata"] == deps.pack.tzdata
    assert kinds[0] == ["GENESIS", *["PACK"] * len(packs), "KEY", "DECISION"]
    assert geneses[0]["lists"]["US-NDNC"]["numbers"] == 1
    assert geneses[0]["predecessor"]["seq"] == len(kinds[0])
    assert geneses[1]["predecessor"]["seq"] == len(kinds[0])
    assert geneses[1]["tzdata"] == fake.deps.pack.tzdata


async def blocked_without_lists(service: Any, fake: Any, a: Any) -> None:
    """A list that was never loaded blocks: nobody knows whether the number is on it."""
    async with service.build(FakeToolkit(clock=fake.clock, outbox=fake.outbox)) as deps:
        fake.deps = deps
        fake.publish()
        outcome = await on_lead_ready(fake.received(a.offer(person_id="p9", phone="+13125550198")), deps)
        assert isinstance(outcome, Publish)
        assert isinstance(outcome.events[0], ComplianceBlocked)
        assert outcome.events[0].reasons == (BlockReason.SCRUB_MISSING,)
