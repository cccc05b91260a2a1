"""After its database went back in time: rows and windows are what they were, and no window is issued half full."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from analytics.adapters.memory import MemoryFacts, MemoryWindows
from analytics.adapters.postgres import PostgresFacts
from analytics.adapters.postgres_windows import PostgresWindows
from analytics.app import REQUESTS, SUBSCRIPTIONS, TICKS
from analytics.handlers import restoring
from analytics.ports import Deps
from outdial_contracts.events import ConnectRateWindow
from outdial_runtime.loop import HandlerFault
from outdial_runtime.marks import MemoryMarks, PoolMarks
from outdial_runtime.reading_back import Guard, Source, not_ready_because
from outdial_runtime.service import Service, Toolkit
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

Make = Callable[..., Any]
NOW = datetime(2026, 11, 17, 15, 1, tzinfo=UTC)
TABLES = ("attempt_facts", "offer_ends", "window_attempts", "windows", "topic_marks")


class Killed(Exception):
    """The process died here."""


class MemoryDatabase:
    """The stores in memory; a backup is a copy."""

    def __init__(self) -> None:
        self.tables: tuple[Any, ...] = (MemoryFacts(), MemoryWindows(), MemoryMarks())
        self._backup = self.tables

    async def back_up(self) -> None:
        self._backup = deepcopy(self.tables)

    async def restore(self) -> None:
        self.tables = deepcopy(self._backup)


class PostgresDatabase:
    """A schema of PostgreSQL; a backup is a copy of every table."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.tables = (PostgresFacts(pool), PostgresWindows(pool), PoolMarks(pool))

    async def back_up(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            for table in TABLES:
                await connection.execute(f"CREATE TABLE {table}_copy AS TABLE {table}")

    async def restore(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
            for table in TABLES:
                await connection.execute(f"INSERT INTO {table} SELECT * FROM {table}_copy")


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def database(request: pytest.FixtureRequest) -> MemoryDatabase | PostgresDatabase:
    return MemoryDatabase() if request.param == "memory" else PostgresDatabase(request.getfixturevalue("pool"))


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker(VirtualClock(NOW))


async def boot(database: Any, broker: MemoryBroker, during: Callable[[Any], Awaitable[None]] | None = None) -> Any:
    """One life of the service: what happens in it, then what it shows at its end."""
    facts, windows, marks = database.tables

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        source = Source(past=toolkit.past, marks=marks, clock=toolkit.clock)
        yield Deps(facts=facts, windows=windows, source=source, guard=Guard(verified=False))

    service = Service(
        name="analytics",
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        ready=not_ready_because,
    )
    async with run_in_memory(service, broker) as running:
        await running.advance(1.0)
        if during is not None:
            await during(running)
        await running.advance(3.0)
        shown = [
            (await running.http("GET", path, query={"campaign_id": "c1", "since": "2026-11-17T00:00:00Z"})).body
            for path in ("/v1/facts", "/v1/windows", "/v1/totals")
        ]
        shown[1] = [{**w, "revision": None} for w in shown[1]["windows"]]
        await running.kill()
    return shown


async def live(database: Any, broker: MemoryBroker, disposed: Make, ended: Make, blocked: Make) -> Any:
    """Four attempts and a backup, then a revision, two more attempts and a block; what it showed at its end."""

    async def before(running: Any) -> None:
        broker.publish(*(disposed(n) for n in range(1, 5)), cause="before")

    async def after(running: Any) -> None:
        broker.publish(disposed(1, revision=2, connected=True), disposed(5), ended(6), blocked(7), cause="after")

    await boot(database, broker, before)
    await database.back_up()
    return await boot(database, broker, after)


def assert_readers_saw_no_window_shrink(broker: MemoryBroker) -> None:
    newest: dict[str, ConnectRateWindow] = {}
    for record in broker.events(ConnectRateWindow):
        known = newest.setdefault(record.window_id, record)
        assert (record.revision, record.attempts) >= (known.revision, known.attempts)
        assert record.attempts >= known.attempts
        newest[record.window_id] = record


async def test_rows_and_windows_are_what_they_were(
    database: Any, broker: MemoryBroker, disposed: Make, ended: Make, blocked: Make
) -> None:
    shown = await live(database, broker, disposed, ended, blocked)
    assert [shown[2]["attempts"], len(shown[0]["rows"]), shown[0]["offer_ends"]] == [5, 5, {"BLOCKED": 1}]
    await database.restore()
    assert await boot(database, broker) == shown
    assert_readers_saw_no_window_shrink(broker)


@pytest.mark.parametrize("dies_at", [1, 3, 5])
async def test_crash_while_reading_back_changes_nothing_of_its_end(
    database: Any,
    broker: MemoryBroker,
    disposed: Make,
    ended: Make,
    blocked: Make,
    dies_at: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = await live(database, broker, disposed, ended, blocked)
    await database.restore()
    taken = [0]

    def dying(real: Any) -> Any:
        async def take(message: Any, deps: Any) -> None:
            await real(message, deps)
            taken[0] += 1
            if taken[0] == dies_at:
                raise Killed

        return take

    takers: Mapping[Any, Any] = {kind: dying(taker) for kind, taker in restoring.TAKERS.items()}
    monkeypatch.setattr(restoring, "REREADING", type(restoring.REREADING)(takers=takers))
    with pytest.raises(HandlerFault):
        await boot(database, broker)
    monkeypatch.undo()
    assert await boot(database, broker) == shown
    assert_readers_saw_no_window_shrink(broker)
