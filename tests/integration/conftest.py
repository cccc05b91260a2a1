"""One stack for all integration tests."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from outdial_cli.stack.environment import RunClock
from outdial_cli.stack.stack import Stack, StackOptions
from tests.integration.infrastructure import choose, engine_answers, variables_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, PostgreSQL, collector and all services; Tuesday 10:00 in New York."""
    with pytest.MonkeyPatch.context() as patch, variables_for(choose(os.environ, engine_answers), print) as variables:
        for name, value in variables.items():
            patch.setenv(name, value)
        clock = RunClock(start="2026-11-17T15:00:00Z", origin_seconds=time.monotonic())
        options = StackOptions(
            data_dir=tmp_path_factory.mktemp("stack"),
            cache_dir=ROOT / ".outdial" / "cache",
            clock=clock,
            prompts_dir=ROOT / "examples" / "prompts",
            lists_dir=ROOT / "examples" / "lists",
        )
        running = Stack(options, lambda text: print(f"stack: {text}"))
        try:
            running.start()
            yield running
        finally:
            running.stop()
