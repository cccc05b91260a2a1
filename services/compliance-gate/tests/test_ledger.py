"""The ledger: whoever changes a byte, removes or moves a record is found, offline, with the record's name."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import KeySet

from compliance_gate import cli
from compliance_gate.adapters.postgres import PostgresStore
from compliance_gate.app import build_tools
from compliance_gate.domain import jose
from compliance_gate.domain.inclusion import AuditPaths, root_of
from compliance_gate.domain.ledger import GENESIS_PREVIOUS, Chain, Entry, Frontier, RecordKind, link
from compliance_gate.domain.verification import Verifier, lines_of, verify
from compliance_gate.handlers.ledger import checkpoint, export
from compliance_gate.ports import PAGE_RECORDS
from outdial_runtime.service import TickInput


async def filled(world: Any, a: Any) -> str:
    """An export with decisions, redemptions, refusals and two checkpoints of a chain."""
    tick = TickInput(now=world.clock.now(), partition=None)
    for n in range(3):
        cleared = await world.clear(a.offer(person_id=f"p{n}", phone=f"+1312555010{n}"))
        await world.redeem(world.asking(cleared))
        await world.redeem(world.asking(cleared, token="forged"))
        if n < 2:
            await checkpoint(tick, world.deps)
    return await exported(world)


async def exported(world: Any) -> str:
    return b"".join([chunk async for chunk in export(world.deps)]).decode()


def checked(world: Any, text: str) -> Verifier:
    keys = KeySet.import_key_set(json.loads(json.dumps(world.deps.signer.public_keys())))
    return verify(lines_of(text.encode("latin-1", "replace")), lambda token: jose.verify(token, keys))


async def test_untouched_export_holds(world: Any, a: Any) -> None:
    found = checked(world, await filled(world, a))
    assert found.problems == []
    assert found.records == 2 + 3 + 3 * 3
    assert found.checkpoints == 4


async def test_long_chain_leaves_in_pieces_and_holds(world: Any) -> None:
    entries = [Entry(kind=RecordKind.LIST, body={"list": "US-NDNC", "n": n}) for n in range(2 * PAGE_RECORDS + 1)]
    async with world.deps.store.transaction() as tx:
        await tx.append(Chain.DECISIONS, entries)
    await checkpoint(TickInput(now=world.clock.now(), partition=None), world.deps)
    chunks = [chunk async for chunk in export(world.deps)]
    assert max(chunk.count(b"\n") for chunk in chunks) <= PAGE_RECORDS + 1
    found = checked(world, b"".join(chunks).decode())
    assert (found.problems, found.records) == ([], len(entries) + 2)


def test_verifying_twice_as_many_records_takes_no_more_memory() -> None:
    def lines(length: int) -> Iterator[bytes]:
        head = GENESIS_PREVIOUS
        for seq in range(1, length + 1):
            kind = RecordKind.GENESIS if seq == 1 else RecordKind.DECISION
            record = link("boot.decisions", seq, head, Entry(kind=kind, body={"n": seq}))
            head = record.hash
            yield record.line().encode() + b"\n"

    def peak_bytes(length: int) -> int:
        tracemalloc.start()
        try:
            found = verify(lambda: lines(length), lambda token: None)
            assert found.records == length
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(100)
    assert peak_bytes(6000) - peak_bytes(3000) < 20_000, "less than 7 bytes a record"


async def test_records_hold_tokens_and_never_a_number(world: Any, a: Any) -> None:
    text = await filled(world, a)
    assert "312555010" not in text
    assert '"p0"' not in text
    assert world.deps.tokens.callee_token("+13125550100") in text


async def test_every_changed_byte_of_any_line_is_found(fake: Any, a: Any) -> None:
    fake.publish()
    text = await filled(fake, a)
    lines = text.split("\n")
    signed = next(n for n, line in enumerate(lines) if '"checkpoint"' in line)
    for number in (1, len(lines) - 4, signed, len(lines) - 2):  # a record of each chain, a checkpoint, the manifest
        for at in range(len(lines[number])):
            for flip in (1, 0x20):
                changed = lines[number][:at] + chr(ord(lines[number][at]) ^ flip) + lines[number][at + 1 :]
                broken = "\n".join([*lines[:number], changed, *lines[number + 1 :]])
                assert checked(fake, broken).problems, (number, at, flip)


async def test_changed_record_is_named(fake: Any, a: Any) -> None:
    fake.publish()
    lines = (await filled(fake, a)).split("\n")
    n = next(n for n, line in enumerate(lines) if '"seq":3' in line)
    value = json.loads(lines[n])
    altered = lines[n].replace('"decision":"cleared"', '"decision":"blocked"')
    problems = checked(fake, "\n".join([*lines[:n], altered, *lines[n + 1 :]])).problems
    assert problems[0].where == f"{value['chain_id']}:{value['seq']}" == "boot.decisions:3"
    unreadable = checked(fake, "\n".join([*lines[:n], lines[n][:-1], *lines[n + 1 :]])).problems
    assert unreadable[0].where == "boot.decisions:3"


async def test_each_removed_line_is_found_and_a_removed_record_named(fake: Any, a: Any) -> None:
    fake.publish()
    lines = (await filled(fake, a)).removesuffix("\n").split("\n")
    for number, line in enumerate(lines):
        value = json.loads(line)
        problems = checked(fake, "\n".join(lines[:number] + lines[number + 1 :]) + "\n").problems
        if value["type"] == "record":
            assert problems[0].where == f"{value['chain_id']}:{value['seq']}"
        assert problems


async def test_each_pair_of_swapped_records_is_found(fake: Any, a: Any) -> None:
    fake.publish()
    lines = (await filled(fake, a)).removesuffix("\n").split("\n")
    chains = [json.loads(line).get("chain_id") for line in lines]
    pairs = [i for i in range(len(lines) - 1) if chains[i] == chains[i + 1] and '"record"' in lines[i + 1]]
    assert len(pairs) > 8
    for i in pairs:
        swapped = [*lines[:i], lines[i + 1], lines[i], *lines[i + 2 :]]
        assert checked(fake, "\n".join(swapped) + "\n").problems, i


async def test_cut_tail_is_found(fake: Any, a: Any) -> None:
    fake.publish()
    text = await filled(fake, a)
    assert checked(fake, text[:-1]).problems
    assert checked(fake, "").problems
    without_manifest = text[: text.rindex("\n", 0, -1) + 1]
    assert checked(fake, without_manifest).problems


async def test_ledger_signed_by_another_key_does_not_hold(fake: Any, a: Any, make_deps: Any) -> None:
    fake.publish()
    text = await filled(fake, a)
    stranger = make_deps(fake.deps.store, dict(fake.deps.chains))
    assert checked(stranger, text).problems


@pytest.mark.stack
async def test_next_boot_names_the_head_of_the_chain_before_it(real: Any, a: Any) -> None:
    real.publish()
    await filled(real, a)
    heads = {r.chain_id: r for r in await real.deps.store.records()}
    later = {chain: f"later.{chain.value}" for chain in Chain}
    store = PostgresStore(real.pool, real.rows, later)
    for chain in Chain:
        await store.open_chain(chain, {"boot_id": "later", "clock_shifted": True})
    for chain in Chain:
        [genesis] = await store.records(later[chain])
        body = json.loads(genesis.body)
        before = heads[real.deps.chains[chain]]
        assert genesis.kind is RecordKind.GENESIS
        assert body["clock_shifted"] is True
        assert body["predecessor"] == {"chain_id": before.chain_id, "seq": before.seq, "head": before.hash}
    assert checked(real, await exported(real)).problems == []


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_frontier_grows_to_the_root_of_rfc_6962(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf.hex())
    assert frontier.root() == naive_root(leaves).hex()


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True), st.data())
def test_audit_path_leads_a_leaf_to_the_root_and_no_other_leaf(leaves: list[bytes], data: st.DataObject) -> None:
    size, root = len(leaves), naive_root(leaves).hex()
    making = AuditPaths(frozenset(range(size)))
    for leaf in leaves:
        making.add(leaf.hex())
    paths = making.finish()
    at, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    assert root_of(leaves[at].hex(), at, size, paths[at]) == root
    if other != at:
        assert root_of(leaves[other].hex(), at, size, paths[at]) != root
    assert root_of(leaves[at].hex(), at, size, [*paths[at], root]) is None
    assert root_of(leaves[at].hex(), size, size, paths[at]) is None


@given(st.binary(max_size=400))
def test_no_bytes_break_the_verifier(data: bytes) -> None:
    assert verify(lines_of(data), lambda token: None).problems


async def test_verify_tool_says_ok_names_the_record_and_uses_its_exit_codes(
    fake: Any, a: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.publish()
    good, bad, jwks = tmp_path / "good.jsonl", tmp_path / "bad.jsonl", tmp_path / "jwks.json"
    text = await filled(fake, a)
    good.write_text(text)
    bad.write_text(text.replace('"decision":"cleared"', '"decision":"blocked"', 1))
    jwks.write_text(json.dumps(fake.deps.signer.public_keys()))
    assert cli.main(["ledger", "verify", str(good), "--jwks", str(jwks)], build_tools()) == 0
    assert "OK: 14 records, 2 chains, 4 checkpoints" in capsys.readouterr().out
    assert cli.main(["ledger", "verify", str(bad), "--jwks", str(jwks), "--json"], build_tools()) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["record"] == "boot.decisions:2"
    topic = tmp_path / "topic.jsonl"
    topic.write_text("".join(f"{c.line()}\n" for c in await fake.deps.store.checkpoints()))
    compared = ["ledger", "verify", str(good), "--jwks", str(jwks), "--checkpoints", str(topic)]
    assert cli.main(compared, build_tools()) == 0
    assert "as far as 4 checkpoints of the topic say" in capsys.readouterr().out
    await fake.clear(a.offer(person_id="p9", phone="+13125550109"))
    await checkpoint(TickInput(now=fake.clock.now(), partition=None), fake.deps)
    topic.write_text("".join(f"{c.line()}\n" for c in await fake.deps.store.checkpoints()))
    assert cli.main([*compared, "--json"], build_tools()) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["record"] == "boot.decisions:5"
    assert cli.main([*compared[:-1], str(tmp_path / "none")], build_tools()) == 2
    for wrong in (
        ["ledger", "verify", str(tmp_path / "none"), "--jwks", str(jwks)],
        ["ledger", "verify", str(good), "--jwks", str(good)],
    ):
        assert cli.main(wrong, build_tools()) == 2
    with pytest.raises(SystemExit) as usage:
        cli.main(["ledger", "verify"], build_tools())
    assert usage.value.code == 2


def test_new_key_is_private_and_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "keys"
    assert cli.main(["keys", "new", "--out", str(out), "--json"], build_tools()) == 0
    private, public = out / "signing.jwk", out / "jwks.json"
    assert private.stat().st_mode & 0o777 == 0o600
    before = private.read_text()
    assert "d" in json.loads(before)
    assert all("d" not in key for key in json.loads(public.read_text())["keys"])
    assert cli.main(["keys", "new", "--out", str(out)], build_tools()) == 2
    assert private.read_text() == before
    assert json.loads(before)["d"] not in "".join(capsys.readouterr())
