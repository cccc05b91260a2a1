"""A key is rotated while calls are cleared, and nothing that was signed before stops holding."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import KeySet

from compliance_gate import cli
from compliance_gate.adapters.signing import Ed25519Signer
from compliance_gate.app import build_tools
from compliance_gate.domain import jose
from compliance_gate.domain.ledger import RecordKind
from compliance_gate.domain.verification import lines_of, verify
from compliance_gate.handlers.campaigns import on_campaign_published, on_stop_changed, record_overrides
from compliance_gate.handlers.keys import take_up_keys
from compliance_gate.handlers.ledger import checkpoint, export
from outdial_contracts.events import BlockReason, CampaignPublished, CampaignState, StopChanged
from outdial_runtime.outcome import NOTHING, RetryLater
from outdial_runtime.service import TickInput


def keys(*words: str) -> int:
    return cli.main(["keys", *words], build_tools())


def kids(file: Path) -> list[str]:
    data = json.loads(file.read_text())
    return [key["kid"] for key in data.get("keys", [data])]


def tick(world: Any) -> TickInput:
    return TickInput(now=world.clock.now(), partition=None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert keys("new", "--out", str(tmp_path), "--kid", "old") == 0
    return tmp_path


def test_added_key_waits_then_signs_and_the_retired_one_stays_for_the_ledger(folder: Path) -> None:
    signing, public, ledger = folder / "signing.jwk", folder / "jwks.json", folder / "ledger-jwks.json"
    assert keys("rotate", "--out", str(folder)) == 2, "no key waits"
    assert keys("new", "--add", "--out", str(folder), "--kid", "new") == 0
    assert (kids(signing), kids(public)) == (["old", "new"], ["old", "new"])
    assert Ed25519Signer.load(signing).key_id == "old"
    assert keys("rotate", "--out", str(folder)) == 0
    assert (kids(signing), kids(public)) == (["new", "old"], ["new", "old"])
    assert signing.stat().st_mode & 0o777 == 0o600
    assert ["d" in key for key in json.loads(signing.read_text())["keys"]] == [True, False]
    assert keys("retire", "new", "--out", str(folder)) == 2, "it signs"
    assert keys("retire", "none", "--out", str(folder)) == 2
    assert keys("retire", "old", "--out", str(folder)) == 0
    assert (kids(signing), kids(public), kids(ledger)) == (["new"], ["new"], ["old", "new"])
    assert all("d" not in key for file in (public, ledger) for key in json.loads(file.read_text())["keys"])
    assert keys("new", "--add", "--out", str(folder), "--kid", "new") == 2, "the id is taken"


async def test_rotation_in_the_middle(world: Any, a: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    object.__setattr__(world.deps, "signer", Ed25519Signer.load(folder / "signing.jwk"))
    before = await world.clear(a.offer(person_id="p1", phone="+13125550101"))
    dying = await world.clear(a.offer(person_id="p2", phone="+13125550102"))
    await checkpoint(tick(world), world.deps)
    first = (await world.deps.store.checkpoints())[0]
    assert keys("new", "--add", "--out", str(folder), "--kid", "new") == 0
    assert await take_up_keys(tick(world), world.deps) == NOTHING
    assert world.deps.signer.key_id == "old"
    assert [key["kid"] for key in world.deps.signer.public_keys()["keys"]] == ["old", "new"]
    assert keys("rotate", "--out", str(folder)) == 0
    assert await take_up_keys(tick(world), world.deps) == NOTHING
    after = await world.clear(a.offer(person_id="p3", phone="+13125550103"))
    assert (jose.key_id(before.token), jose.key_id(after.token)) == ("old", "new")
    assert (await world.redeem(world.asking(before))).HasField("granted")
    assert (await world.redeem(world.asking(after))).HasField("granted")
    world.clock.advance(61)
    refused = (await world.redeem(world.asking(dying))).refused
    assert BlockReason.CLEARANCE_EXPIRED.value in refused.reasons
    await record_overrides(tick(world), world.deps)
    await checkpoint(tick(world), world.deps)
    said = [json.loads(r.body) for r in await world.deps.store.records() if r.kind is RecordKind.KEY]
    assert [(body["signs"], body["believed"]) for body in said] == [("old", ["old", "new"]), ("new", ["new", "old"])]

    exported, every = folder / "export.jsonl", folder / "ledger-jwks.json"
    exported.write_bytes(b"".join([chunk async for chunk in export(world.deps)]))
    assert keys("retire", "old", "--out", str(folder)) == 0
    capsys.readouterr()
    ask = ["ledger", "verify", str(exported), "--json", "--jwks"]
    assert cli.main([*ask, str(every)], build_tools()) == 0
    capsys.readouterr()
    assert cli.main([*ask, str(folder / "jwks.json")], build_tools()) == 1
    [problem, *_] = json.loads(capsys.readouterr().out)["problems"]
    assert problem["record"] == f"{first.chain_id}:{first.seq}"
    assert "key old" in problem["what"]
    public = KeySet.import_key_set({"keys": [k for k in json.loads(every.read_text())["keys"] if k["kid"] == "old"]})
    assert verify(lines_of(exported.read_bytes()), lambda token: jose.verify(token, public)).problems


async def test_key_file_that_is_not_whole_leaves_the_keys_in_force(fake: Any, folder: Path) -> None:
    file = folder / "signing.jwk"
    signer = Ed25519Signer.load(file)
    object.__setattr__(fake.deps, "signer", signer)
    whole = file.read_text()
    for content in ("", whole[:20], json.dumps({"keys": []}), json.dumps({"keys": [json.loads(whole)] * 2})):
        file.write_text(content)
        assert isinstance(await take_up_keys(tick(fake), fake.deps), RetryLater)
        assert (signer.key_id, fake.deps.unrecorded) == ("old", [])
    file.unlink()
    assert isinstance(await take_up_keys(tick(fake), fake.deps), RetryLater)
    file.write_text(whole)
    assert await take_up_keys(tick(fake), fake.deps) == NOTHING


def state(a: Any, value: CampaignState) -> CampaignPublished:
    return CampaignPublished(
        campaign_id="spring", slot="state", version=1, team_id="blue", state=value, published_at=a.now,
        published_by="ops@example.test",
    )  # fmt: skip


async def test_each_pause_and_stop_is_recorded_once_with_who_and_again_by_the_next_boot(world: Any, a: Any) -> None:
    paused, running = state(a, CampaignState.PAUSED), state(a, CampaignState.RUNNING)
    stop = StopChanged(scope="all", stopped=True, reason="drill", changed_at=a.now, changed_by="lead@example.test")
    for event in (running, paused, paused, running):
        await on_campaign_published(world.received(event), world.deps)
    for pressed in (stop, stop):
        await on_stop_changed(world.received(pressed), world.deps)
    await record_overrides(tick(world), world.deps)
    await record_overrides(tick(world), world.deps)
    found = [(r.kind.value, json.loads(r.body)) for r in await world.deps.store.records()]
    states = [(body["state"], body["by"]) for kind, body in found if kind == "STATE"]
    assert states == [("PAUSED", "ops@example.test"), ("RUNNING", "ops@example.test")], "RUNNING was known at first"
    [said] = [body for kind, body in found if kind == "STOP"]
    assert (said["scope"], said["stopped"], said["by"], said["reason"]) == ("all", True, "lead@example.test", "drill")


async def test_a_stop_works_at_once_and_is_recorded_when_the_store_is_back(fake: Any, a: Any) -> None:
    stop = StopChanged(scope="all", stopped=True, reason="", changed_at=a.now, changed_by="lead@example.test")
    await on_stop_changed(fake.received(stop), fake.deps)
    assert list(fake.deps.live.blocks("spring", "S1", frozenset()))[-1][0] is BlockReason.GLOBAL_STOP
    object.__setattr__(fake.deps, "store", Away())
    with pytest.raises(ConnectionError):
        await record_overrides(tick(fake), fake.deps)
    object.__setattr__(fake.deps, "store", fake.memory)
    await record_overrides(tick(fake), fake.deps)
    assert fake.deps.unrecorded == []
    assert [r.kind for r in await fake.memory.records() if r.kind is RecordKind.STOP] == [RecordKind.STOP]


class Away:
    """A store that does not answer."""

    def transaction(self) -> Any:
        raise ConnectionError(uuid.uuid4().hex)
