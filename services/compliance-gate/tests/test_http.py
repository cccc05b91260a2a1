"""The gate's HTTP answers, its configuration, and what app.py states about itself."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import KeySet

from compliance_gate.adapters.signing import Ed25519Signer, KeyFileError
from compliance_gate.config import Config, ConfigError
from compliance_gate.domain import jose
from compliance_gate.domain.inclusion import root_of
from compliance_gate.handlers.http import get_evidence, get_export, get_keys
from compliance_gate.handlers.ledger import checkpoint
from outdial_runtime.service import TickInput

ENV = {
    "OUTDIAL_POSTGRES_DSN": "postgresql://gate@127.0.0.1/outdial",
    "OUTDIAL_TOKEN_KEYS": "1:" + "ab" * 16,
    "OUTDIAL_SIGNING_KEY_FILE": "signing.jwk",
}


async def test_evidence_tells_the_whole_story_without_the_number(world: Any, a: Any) -> None:
    cleared = await world.clear(a.offer())
    await world.redeem(world.asking(cleared))
    answer = await get_evidence(world.request(b"", attempt_id=cleared.attempt_id), world.deps)
    body = answer.reply.body
    text = json.dumps(body)
    assert body["decision"]["allowed"] is True
    assert {rule["rule_id"] for rule in body["decision"]["rules"]} >= {"US-FED-HOURS", "US-PEWC-AUTODIAL-MOBILE"}
    assert body["decision"]["tzdata"] == world.deps.pack.tzdata
    assert body["facts"]["offered_at"] <= body["decision"]["at"]
    assert body["consents"][0]["text_sha256"] == "ab" * 32
    assert body["redemptions"][0]["granted"] is True
    assert [record["kind"] for record in body["ledger"]] == ["DECISION", "REDEMPTION", "CLOSE"]
    assert [proof["checkpoint"] for proof in body["inclusion"]] == [None, None, None], "nothing is signed yet"
    assert {t["what"]: t["local"] for t in body["times"]}["decided"] == "2026-11-17T12:00:00-05:00"
    assert all(rule["citation"] and rule["basis"] and rule["rule_pack"] for rule in body["decision"]["rules"])
    assert "+12125550123" not in text
    assert "person-1" not in text


async def test_evidence_proves_each_record_in_a_signed_checkpoint_to_who_has_the_key_only(world: Any, a: Any) -> None:
    for n in range(5):
        cleared = await world.clear(a.offer(person_id=f"p{n}", phone=f"+1312555010{n}"))
        await world.redeem(world.asking(cleared))
        if n in (1, 4):
            await checkpoint(TickInput(now=world.clock.now(), partition=None), world.deps)
        if n == 2:
            shown = cleared.attempt_id
    body = (await get_evidence(world.request(b"", attempt_id=shown), world.deps)).reply.body
    keys = KeySet.import_key_set(json.loads(json.dumps(world.deps.signer.public_keys())))
    assert len(body["inclusion"]) == len(body["ledger"]) == 3
    for record, proof in zip(body["ledger"], body["inclusion"], strict=True):
        signed = proof["checkpoint"]
        claims = jose.verify(signed["signature"], keys)
        assert claims == {name: signed[name] for name in ("chain_id", "seq", "head", "root")}
        assert signed["seq"] >= record["seq"]
        root = root_of(record["hash"], record["seq"] - 1, signed["seq"], proof["audit_path"])
        assert root == signed["root"]
        assert proof["included"]
        assert proof["signature_holds"]


async def test_evidence_of_a_block_names_reasons_and_of_nothing_is_a_problem(world: Any, a: Any) -> None:
    blocked = await world.clear(a.offer(consents=()))
    answer = await get_evidence(world.request(b"", attempt_id=blocked.attempt_id), world.deps)
    assert answer.reply.body["decision"]["reasons"] == ["CONSENT_MISSING"]
    [rule] = answer.reply.body["decision"]["rules"]
    assert rule["rule_id"] in answer.reply.body["decision"]["rule_ids"]
    assert "CFR" in rule["citation"]
    assert (await get_evidence(world.request(b"", attempt_id="none"), world.deps)).reply.status == 404


async def test_keys_are_public_and_export_is_lines(world: Any) -> None:
    keys = (await get_keys(world.request(b""), world.deps)).reply.body["keys"]
    assert keys[0]["kid"] == "test"
    assert "d" not in keys[0]
    reply = (await get_export(world.request(b""), world.deps)).reply
    assert reply.content_type == "application/jsonl"
    lines = b"".join([chunk async for chunk in reply.body]).splitlines()
    assert json.loads(lines[-1])["type"] == "manifest"


def test_configuration_names_the_variable_that_is_wrong_and_never_a_secret() -> None:
    assert Config.from_env(ENV).signing_key_file == Path("signing.jwk")
    for name, value in (*((name, "") for name in ENV), ("OUTDIAL_TOKEN_KEYS", "1:zz"), ("OUTDIAL_GATE_POOL_SIZE", "0")):
        with pytest.raises(ConfigError, match=name) as raised:
            Config.from_env({**ENV, name: value})
        assert "zz" not in str(raised.value)


def test_key_file_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "signing.jwk"
    for text in ("", "{}", '{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'):
        file.write_text(text)
        with pytest.raises(KeyFileError, match=r"signing\.jwk"):
            Ed25519Signer.load(file)


async def test_attempt_of_tomorrow_is_cleared_again_after_the_window(world: Any, a: Any) -> None:
    world.publish(retry_max_per_person=1)
    cleared = await world.clear(a.offer())
    await world.redeem(world.asking(cleared))
    again = await world.clear(a.offer())
    assert again.next_allowed_at == a.now + timedelta(hours=24)
