"""The bug of the missing uniqueness on real PostgreSQL: the gate's own race test fails with it, and only with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from outdial_world.bugs.hunt import copied
from outdial_world.bugs.patches import FOLDER, REPOSITORY, apply, environment_of, read

pytestmark = pytest.mark.stack
NAME = "02-redeem-without-uniqueness.patch"
TESTS = Path("services") / "compliance-gate" / "tests"
RACE = "test_fifty_gateways_redeem_one_attempt_and_one_is_granted"


def race(tree: Path, dsn: str) -> subprocess.CompletedProcess[str]:
    """The race test of a copy of the gate, on our PostgreSQL."""
    shutil.copytree(REPOSITORY / TESTS, tree / TESTS, dirs_exist_ok=True)
    for file in ("conftest.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / file, tree / file)
    external = {
        "OUTDIAL_INFRA": "external",
        "OUTDIAL_POSTGRES_DSN": dsn,
        "OUTDIAL_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", str(tree)),
    }
    arguments = ["-q", "-p", "no:cacheprovider", str(TESTS / "test_races.py"), "-k", RACE]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tree,
        env={**environment_of(tree), **external},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_race_fails_where_neither_code_nor_tables_are_unique(postgres_dsn: str) -> None:
    with copied() as tree:
        whole = race(tree, postgres_dsn)
        assert whole.returncode == 0, whole.stdout
        apply(read(FOLDER / NAME), tree)
        apply(read(FOLDER / "postgres" / NAME), tree)
        broken = race(tree, postgres_dsn)
    assert broken.returncode == 1, broken.stdout
    assert "1 failed" in broken.stdout
    assert "AssertionError" in broken.stdout
