"""The replay itself: crashes in it, a second restore in it, what was never announced, what can't be put back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from compliance_gate import cli
from compliance_gate.adapters.restored import NoSuchLock, say_restored
from compliance_gate.app import build_tools
from compliance_gate.domain.clearance import State
from compliance_gate.domain.restore import RestoreLock
from compliance_gate.handlers import restoring
from compliance_gate.ports import StoreTorn
from outdial_contracts.events import ClearanceClosed, CloseOutcome, CloseReason, LeadReady
from outdial_runtime.loop import HandlerFault
from outdial_runtime.requests import NotReady
from outdial_testing.virtual_clock import START

LOCK_SECONDS = 62.0
CONNECT = asyncpg.connect


class Killed(Exception):
    """The process died here."""


async def a_busy_minute(gate: Any) -> list[Any]:
    """Two attempts, one of them over; an offer that waits."""
    made = [await gate.clear(f"p{n}", 100 + n) for n in range(3)]
    await gate.redeem(made[0])
    await gate.dispose(made[0])
    await gate.redeem(made[1])
    return made


async def assert_whole(gate: Any, made: list[Any]) -> None:
    """What a restored gate must be after its lock."""
    await gate.advance(LOCK_SECONDS + 5)
    assert gate.why is None
    assert [await gate.state(cleared) for cleared in made] == [State.REDEEMED, State.REDEEMED, State.LAPSED]
    assert [gate.closed(cleared) for cleared in made] == [["REDEEMED"], ["REDEEMED"], ["LAPSED"]]
    async with gate.deps.store.transaction() as tx:
        opened = [await tx.open_attempts((await tx.clearance(c.attempt_id)).keys) for c in made]
    assert opened == [frozenset(), {made[1].attempt_id}, frozenset()]
    for cleared in made:
        assert not (await gate.redeem(cleared, nonce="again")).HasField("granted")


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 5])
async def test_crash_in_the_replay_changes_nothing_of_its_end(
    gate: Any, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await a_busy_minute(gate)
    taken, real = [0], restoring._take

    async def take(*args: Any) -> bool:
        taken[0] += 1
        if taken[0] == dies_at:
            raise Killed
        return await real(*args)

    monkeypatch.setattr(restoring, "_take", take)
    try:
        await gate.restore()
    except HandlerFault:
        await gate.start()
    else:
        assert taken[0] < dies_at  # this run's ids lie in fewer partitions than that
    await assert_whole(gate, made)


async def test_restore_during_the_lock_begins_it_anew(gate: Any) -> None:
    made = await a_busy_minute(gate)
    await gate.restore()
    await gate.advance(40)
    await gate.restore()
    await gate.advance(LOCK_SECONDS - 5)
    assert "restore lock" in gate.why
    await assert_whole(gate, made)


async def test_backup_made_under_an_old_lock_does_not_open_early(gate: Any) -> None:
    await gate.clear("p9", 109)
    await gate.restore()
    await gate.database.back_up()
    await gate.advance(LOCK_SECONDS + 5)
    made = await a_busy_minute(gate)
    await gate.restore()
    await gate.advance(LOCK_SECONDS - 5)
    assert "restore lock" in gate.why
    await assert_whole(gate, made)


async def test_outcome_of_a_redemption_that_was_never_announced_proves_it(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    await gate.database.back_up()
    await gate.redeem(cleared)
    for partition in range(2):
        gate.broker.log._partitions[ClearanceClosed.TOPIC][partition].stored.clear()  # it was lost with the outbox
    await gate.kill()
    await gate.database.restore()
    await gate.start()
    assert gate.why is None  # nothing on any topic tells of it yet
    await gate.dispose(cleared)
    assert "restore lock" in gate.why
    assert gate.closed(cleared) == ["REDEEMED"]
    await gate.advance(LOCK_SECONDS + 5)
    assert (await gate.redeem(cleared, nonce="n2")).HasField("already_redeemed")
    assert gate.closed(cleared) == ["REDEEMED"]


async def test_redemption_whose_offer_is_gone_keeps_the_gate_shut_until_the_loss_is_accepted(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    closed = ClearanceClosed(
        attempt_id=str(gate.a.offer().attempt_id),
        team_id=cleared.team_id,
        campaign_id=cleared.campaign_id,
        campaign_version=cleared.campaign_version,
        context=cleared.context,
        outcome=CloseOutcome.REDEEMED,
        reason=CloseReason.DIALLED,
        mode=cleared.allowed_modes[0],
        ring_timeout_seconds=18,
        closed_at=gate.clock.now(),
    )
    gate.broker.publish(closed)
    await gate.restore()
    await gate.advance(LOCK_SECONDS + 60)
    assert "1 redemptions are on no topic" in gate.why
    async with gate.deps.store.transaction() as tx:
        await tx.set_restore_lock((await tx.restore_lock()).accept())
    await gate.advance(1)
    assert gate.why is None


async def test_consent_revoked_after_the_backup_stays_revoked(gate: Any) -> None:
    revoked = gate.a.consent(revoked_at=gate.a.now - timedelta(minutes=1))
    await gate.offer(person_id="p1", phone="+12125550101", consents=(revoked,))
    await gate.restore()
    async with gate.deps.store.transaction() as tx:
        [found] = await tx.consents(["c1"])
    assert found.revoked_at == revoked.revoked_at


async def test_junk_on_the_topics_stops_no_replay(gate: Any) -> None:
    cleared = await gate.clear("p1", 101)
    [real] = [e for e in gate.broker.events(LeadReady) if e.attempt_id == cleared.attempt_id]
    gate.broker.publish(replace(real, attempt_id="no uuid", phone="no number"), cause="junk")
    await gate.restore()
    await gate.advance(LOCK_SECONDS + 5)
    assert gate.closed(cleared) == ["LAPSED"]


@pytest.mark.stack
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
class TestUnderARunningProcess:
    async def test_gate_grants_nothing_on_a_database_that_went_back_under_it_and_ends(self, gate: Any) -> None:
        first, second = await gate.clear("p1", 101), await gate.clear("p2", 102)
        await gate.database.back_up()
        await gate.redeem(first)
        await gate.database.restore()
        with pytest.raises(NotReady):
            await gate.redeem(first, nonce="n2")
        with pytest.raises(NotReady):
            await gate.redeem(second)
        with pytest.raises(HandlerFault, match=StoreTorn.__name__):
            await end_of(gate)
        await gate.start()
        assert await gate.state(first) is State.REDEEMED
        assert "restore lock" in gate.why

    async def test_operators_word_locks_at_once_and_everything_is_read_again(
        self, gate: Any, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cleared = await gate.clear("p1", 101)
        await gate.redeem(cleared)
        lock = await said(gate, postgres_dsn, monkeypatch)
        assert lock.reason == "the operator said so"
        with pytest.raises(NotReady):
            await gate.redeem(cleared, nonce="n2")
        await gate.advance(LOCK_SECONDS - 4)
        assert "restore lock" in gate.why
        await gate.advance(10)
        assert gate.why is None
        records = await gate.deps.store.records()
        kinds = [r.kind.value for r in records if r.kind.value.startswith("RESTORE")]
        assert kinds == ["RESTORE_LOCK", "RESTORE_UNLOCK"]

    async def test_loss_is_accepted_only_where_there_is_one(
        self, gate: Any, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(NoSuchLock, match="not locked"):
            await said(gate, postgres_dsn, monkeypatch, accept_loss=True)
        await said(gate, postgres_dsn, monkeypatch)
        with pytest.raises(NoSuchLock, match="nothing was lost"):
            await said(gate, postgres_dsn, monkeypatch, accept_loss=True)


async def end_of(gate: Any) -> None:
    """Raises the fault that ends the process; its closing takes real time."""
    for _ in range(200):
        await gate.advance(0.1)
        await asyncio.sleep(0.02)


async def said(gate: Any, dsn: str, monkeypatch: pytest.MonkeyPatch, *, accept_loss: bool = False) -> RestoreLock:
    """The command, in the test's schema."""

    async def in_schema(given: str) -> Any:
        return await CONNECT(given, server_settings={"search_path": gate.database.schema})

    monkeypatch.setattr(asyncpg, "connect", in_schema)
    return await say_restored(dsn, accept_loss=accept_loss)


def test_command_needs_the_services_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OUTDIAL_POSTGRES_DSN", raising=False)
    assert cli.main(["restored"], build_tools()) == 2
    assert "OUTDIAL_POSTGRES_DSN" in capsys.readouterr().err


def test_lock_opens_never_before_its_time_nor_with_a_loss() -> None:
    start = START
    lock = RestoreLock(locked_at=start, reason="r").found(start, 3, 0)
    assert not lock.may_open(start + timedelta(seconds=61), 60)
    assert lock.may_open(start + timedelta(seconds=62), 60)
    assert not lock.may_open(start + timedelta(seconds=62), 600)
    lossy = lock.found(start, 0, 1)
    assert not lossy.may_open(start + timedelta(days=1), 60)
    assert lossy.accept().may_open(start + timedelta(seconds=62), 60)
    assert not lossy.accept().found(start, 0, 1).accepted
