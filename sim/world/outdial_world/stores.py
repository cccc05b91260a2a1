"""The services' memory stores as databases: durable over crashes, all or nothing, sometimes slow or away.

A `Database` outlives every process of its service. A process gets an adapter of its own on it, which takes time, dies
before or after a commit, and leaves nothing behind of a transaction that did not commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import fields
from typing import Any

from compliance_gate.adapters.memory import CONTENTS
from compliance_gate.adapters.memory import MemoryStore as GateTables
from compliance_gate.domain.ledger import Chain
from compliance_gate.ports import StoreUnavailable
from disposition.adapters.memory import MemoryStore as DispositionTables
from lead_router.adapters.memory import Memory as LeadTables
from lead_router.adapters.memory import MemoryWork
from outdial_runtime.clock import Clock
from outdial_world.life import Life, Step
from outdial_world.outbox import Rows
from outdial_world.weather import Weather


class DatabaseAway(ConnectionError):
    """The database does not answer."""


class Database:
    """What of a service survives its processes."""

    def __init__(self, service: str, clock: Clock, weather: Weather) -> None:
        self.service, self.clock, self.weather = service, clock, weather
        self.away_until = 0.0
        self.rows = Rows()
        self.tables: dict[str, Any] = {}
        """Name -> memory store, or its tables."""
        self.transaction = asyncio.Lock()

    def turn_off(self, seconds: float) -> None:
        """It answers nobody for so long; whoever relays its outbox notices at once."""
        self.away_until = asyncio.get_running_loop().time() + seconds
        self.rows.written.set()

    async def reach(self) -> None:
        """A round trip. Raises DatabaseAway."""
        await asyncio.sleep(self.weather.store_seconds())
        if asyncio.get_running_loop().time() < self.away_until:
            raise DatabaseAway(self.service)

    def back_up(self) -> Callable[[], None]:
        """Takes a backup; the function that is returned sets the database back to it."""
        tables, waiting = deepcopy(self.tables, {id(self): self}), list(self.rows.waiting)

        def rewind() -> None:
            for name, table in tables.items():
                held = self.tables[name]
                vars(held).update({k: v for k, v in vars(deepcopy(table)).items() if not isinstance(v, asyncio.Lock)})
            self.rows.waiting.clear()
            self.rows.waiting.extend(waiting)
            self.rows.written.set()

        return rewind

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """The tables of that name, made when they are first asked for."""
        if name not in self.tables:
            self.tables[name] = make()
        return self.tables[name]


class MethodStore:
    """A store each of whose methods is one transaction."""

    def __init__(self, inner: Any, database: Database, life: Life) -> None:
        self._inner, self._database, self._life = inner, database, life

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        async def transaction(*args: Any, **kwargs: Any) -> Any:
            await self._database.reach()
            await self._life.step(Step.COMMIT_BEFORE)
            result = await method(*args, **kwargs)
            await self._life.step(Step.COMMIT_AFTER)
            return result

        return transaction


class DispositionStore:
    """disposition.ports.Store."""

    def __init__(self, inner: DispositionTables, database: Database, life: Life) -> None:
        self._inner, self._database, self._life = inner, database, life
        self._reads = MethodStore(inner, database, life)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return getattr(self._reads, name)  # type: ignore[no-any-return]

    @asynccontextmanager
    async def attempt(self, attempt_id: str) -> AsyncIterator[Any]:
        """Kept at the end of the block, with what goes into the outbox."""
        await self._database.reach()
        async with self._inner.attempt(attempt_id) as unit:
            yield unit
            await self._life.step(Step.COMMIT_BEFORE, stalls=False)
        said, self._inner.outbox[:] = list(self._inner.outbox), []
        self._database.rows.write("disposition", said, self._database.clock.now())
        await self._life.step(Step.COMMIT_AFTER)


class LeadStore:
    """lead_router.ports.Store: works on a copy, which becomes the tables at the commit."""

    def __init__(self, database: Database, life: Life) -> None:
        self._database, self._life = database, life
        database.keep("leads", LeadTables)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[MemoryWork]:
        """One at a time."""
        database = self._database
        await database.reach()
        async with database.transaction:
            tables = _copied(database.tables["leads"])
            yield MemoryWork(tables)
            await self._life.step(Step.COMMIT_BEFORE, stalls=False)
            database.rows.write("lead-router", tables.sent, database.clock.now())
            tables.sent = []
            database.tables["leads"] = tables
        await self._life.step(Step.COMMIT_AFTER)


def _copied(tables: LeadTables) -> LeadTables:
    """Rows are frozen, so that only what holds them is copied."""
    copies = {f.name: _shell(getattr(tables, f.name)) for f in fields(tables)}
    copies["documents"] = {name: dict(versions) for name, versions in tables.documents.items()}
    return LeadTables(**copies)


def _shell(value: Any) -> Any:
    return value.copy() if isinstance(value, dict | list | set) else value


class GateBoot(GateTables):
    """The tables that all boots share, and the chains of one of them."""

    __slots__ = ("_own",)

    def __init__(self, shared: GateTables, chains: Mapping[Chain, str]) -> None:
        self.__dict__ = shared.__dict__
        self._own = dict(chains)

    @property
    def _chains(self) -> Mapping[Chain, str]:  # type: ignore[override]
        return self._own


class GateStore:
    """compliance_gate.ports.Store: a boot's chains on the tables of all boots."""

    def __init__(self, database: Database, life: Life, chains: Mapping[Chain, str]) -> None:
        self._database, self._life = database, life
        self._inner = GateBoot(database.keep("gate", lambda: GateTables({})), chains)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        async def transaction(*args: Any, **kwargs: Any) -> Any:
            await self._reach()
            async with self._database.transaction:
                return await method(*args, **kwargs)

        return transaction

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[GateTables]:
        """Rolls back when the block raises. Raises StoreUnavailable."""
        await self._reach()
        async with self._database.transaction:
            before = _Before(self._inner)
            try:
                yield self._inner
                await self._life.step(Step.COMMIT_BEFORE, stalls=False)
            except BaseException:
                before.restore()
                raise
            said, self._inner.announced[:] = list(self._inner.announced), []
            self._database.rows.write("compliance-gate", said, self._database.clock.now())
        await self._life.step(Step.COMMIT_AFTER)

    async def _reach(self) -> None:
        try:
            await self._database.reach()
        except DatabaseAway as away:
            raise StoreUnavailable(str(away)) from away


class _Before:
    """The tables as they were."""

    def __init__(self, store: GateTables) -> None:
        self._store = store
        self._whole = {name: _shell(vars(store)[name]) for name in CONTENTS}
        self._grown = [(rows, len(rows)) for held in (store.answers, store.chain_records) for rows in held.values()]

    def restore(self) -> None:
        """Back to them."""
        vars(self._store).update(self._whole)
        for rows, length in self._grown:
            del rows[length:]
