"""Health: each part says by itself that it is shut, and the answer comes also while everything is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from compliance_gate.adapters.memory import MemoryStore
from compliance_gate.adapters.rule_pack import LAW, load_rule_pack, shipped
from compliance_gate.domain.facts import ListInForce
from compliance_gate.domain.health import UNSIGNED_ALLOWED, PartState, ledger_part
from compliance_gate.domain.restore import RestoreLock
from compliance_gate.handlers.campaigns import on_stop_changed
from compliance_gate.handlers.health import get_health
from compliance_gate.handlers.ledger import checkpoint
from compliance_gate.ports import NoLists, StoreUnavailable
from outdial_contracts.events import StopChanged
from outdial_runtime.service import TickInput


class AwayStore(MemoryStore):
    """A database that does not answer."""

    async def chain_lengths(self) -> Any:
        raise StoreUnavailable("ConnectionDoesNotExistError")


class FreshLists(NoLists):
    """Every list's copy is of yesterday, but for the oldest."""

    def __init__(self, names: list[str], now: Any) -> None:
        yesterday = ListInForce(as_of=now - timedelta(days=1), numbers=1, sha256="", source="x")
        self.all = dict.fromkeys(names, yesterday)

    def in_force(self) -> dict[str, ListInForce]:
        return self.all


async def health(world: Any, **changes: Any) -> tuple[bool, dict[str, Any]]:
    answer = await get_health(world.request(b""), replace(world.deps, **changes))
    return answer.reply.body["open"], {part["name"]: part for part in answer.reply.body["parts"]}


async def test_gate_that_is_whole_says_that_every_part_is_open(world: Any, a: Any) -> None:
    lists = FreshLists([rule.rule_id for rule in world.deps.pack.lists], world.clock.now())
    await world.clear(a.offer())
    await checkpoint(TickInput(now=world.clock.now(), partition=None), world.deps)
    is_open, parts = await health(world, lists=lists)
    assert is_open
    assert {name: part["state"] for name, part in parts.items()} == dict.fromkeys(
        ["restore", "database", "ledger", "lists", "stops"], PartState.OPEN
    )
    assert parts["ledger"]["why"] == "0 records not yet signed"


async def test_database_that_does_not_answer_shuts_the_gate_and_is_named(fake: Any) -> None:
    is_open, parts = await health(fake, store=AwayStore(fake.deps.chains))
    assert not is_open
    assert parts["database"]["state"] is PartState.SHUT
    assert "ConnectionDoesNotExistError" in parts["database"]["why"]
    assert "no INVITE" in parts["database"]["stops"]


async def test_restore_lock_is_told_with_its_reason(fake: Any) -> None:
    fake.deps.guard.lock = RestoreLock(reason="a chain is missing", locked_at=fake.clock.now())
    is_open, parts = await health(fake)
    assert not is_open
    assert "a chain is missing" in parts["restore"]["why"]


async def test_list_without_a_fresh_copy_limits_the_gate(fake: Any) -> None:
    law = load_rule_pack(shipped(*LAW), tzdata=fake.deps.pack.tzdata)
    missing, oldest, *_ = law.lists
    lists = FreshLists([rule.rule_id for rule in law.lists if rule is not missing], fake.clock.now())
    too_old = fake.clock.now() - timedelta(days=oldest.max_age_days, seconds=1)
    lists.all[oldest.rule_id] = replace(lists.all[oldest.rule_id], as_of=too_old)
    is_open, parts = await health(fake, lists=lists, pack=law)
    assert is_open
    assert parts["lists"]["state"] is PartState.LIMITED
    assert f"no copy of {missing.rule_id};" in parts["lists"]["why"]
    assert f"too old: {oldest.rule_id}" in parts["lists"]["why"]


async def test_stop_button_is_named_and_the_one_for_all_shuts_the_gate(fake: Any) -> None:
    for scope, is_open in (("seller:S9", True), ("all", False)):
        stop = StopChanged(scope=scope, stopped=True, reason="x", changed_at=fake.clock.now(), changed_by="ops")
        await on_stop_changed(fake.received(stop), fake.deps)
        said, parts = await health(fake)
        assert said is is_open
        assert scope in parts["stops"]["why"]


def test_chain_far_ahead_of_its_checkpoint_is_named() -> None:
    assert ledger_part({"b.decisions": UNSIGNED_ALLOWED}, {}).state is PartState.OPEN
    part = ledger_part({"b.decisions": UNSIGNED_ALLOWED + 2, "b.redemptions": 3}, {"b.decisions": 1})
    assert part.state is PartState.LIMITED
    assert "b.decisions" in part.why
