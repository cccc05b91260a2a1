"""Plain SQL files applied in order, once, whoever starts first; the runtime's own tables come before the service's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

RUNTIME_MIGRATIONS = Path(__file__).parent / "sql"
TABLE = """CREATE TABLE IF NOT EXISTS schema_migrations (
    owner text NOT NULL, name text NOT NULL, PRIMARY KEY (owner, name))"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.migrations', 0))"


async def migrate(pool: Any, folder: Path) -> None:
    """Applies the runtime's and then `folder`'s *.sql files, in name order, that were not applied before.

    One transaction under an advisory lock of the schema: replicas that start together wait for each other.

    Args:
        pool: asyncpg pool whose role's search_path names the service's schema.
        folder: holds NNNN_name.sql.
    """
    await _migrate(pool, {"runtime": RUNTIME_MIGRATIONS, "service": folder})


async def migrate_database(dsn: str, folder: Path) -> None:
    """What `<service> migrate` does: `migrate` on a connection of its own, and nothing else of the service is opened.

    Args:
        dsn: of the service's role, as in its configuration.
        folder: as in `migrate`.
    """
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        await migrate(pool, folder)


async def migrate_runtime(pool: Any) -> None:
    """Applies the runtime's own files only, for a service that has none."""
    await _migrate(pool, {"runtime": RUNTIME_MIGRATIONS})


async def _migrate(pool: Any, folders: Mapping[str, Path]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK)
        await connection.execute(TABLE)
        for owner, folder in folders.items():
            await _apply(connection, owner, folder)


async def _apply(connection: Any, owner: str, folder: Path) -> None:
    rows = await connection.fetch("SELECT name FROM schema_migrations WHERE owner = $1", owner)
    applied = {row["name"] for row in rows}
    for name, sql in _files(folder):
        if name not in applied:
            await connection.execute(sql)
            await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2)", owner, name)


def _files(folder: Path) -> list[tuple[str, str]]:
    return [(file.name, file.read_text()) for file in sorted(folder.glob("*.sql"))]
