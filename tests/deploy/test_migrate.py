"""`<service> migrate`, as the migration jobs run it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from tools.contracts.sources import ROOT
from tools.manifests.findings import K8S
from tools.manifests.kustomize import render
from tools.manifests.services import PACKAGES, WITH_DATABASE
from tools.manifests.settings import environment_of

pytestmark = pytest.mark.stack


async def role_with_schema(admin_dsn: str) -> str:
    """DSN of a new role whose search_path is its own schema, as services have them."""
    name, password = f"m{uuid4().hex[:12]}", uuid4().hex
    connection = await asyncpg.connect(admin_dsn)
    await connection.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD '{password}'; CREATE SCHEMA {name} AUTHORIZATION {name}"
    )
    await connection.execute(f"ALTER ROLE {name} SET search_path = {name}")
    await connection.close()
    parts = urlsplit(admin_dsn)
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("service", sorted(WITH_DATABASE))
async def test_migration_job_makes_the_tables_and_a_second_one_changes_nothing(service: str, postgres_dsn: str) -> None:
    dsn = await role_with_schema(postgres_dsn)
    jobs = {r.name: r for r in render(ROOT / K8S / "base", ROOT) if r.kind == "Job"}
    container = jobs[f"{service}-migrate"].containers[0]
    environment = {**os.environ, **environment_of(container, {}), "OUTDIAL_POSTGRES_DSN": dsn}
    command = [sys.executable, "-m", PACKAGES[service], *container["args"]]
    found = []
    for _ in range(2):
        done = await asyncio.to_thread(run, command, environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        connection = await asyncpg.connect(dsn)
        found.append(await connection.fetch("SELECT owner, name FROM schema_migrations ORDER BY owner, name"))
        await connection.close()
    files = {p.name for p in (ROOT / "services" / service / PACKAGES[service] / "migrations").glob("*.sql")}
    assert {row["name"] for row in found[0] if row["owner"] == "service"} == files
    assert found[1] == found[0]
