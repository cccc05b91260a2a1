"""Windows equal a recount of the topic after 20 kills of two replicas of analytics while the stream runs."""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from outdial_cli.config import child_environment
from outdial_cli.embedded.process import Child, ChildSpec, free_ports
from outdial_contracts.events import CallDisposition, CallEnded, ClearanceClosed, ComplianceBlocked, ConnectRateWindow
from outdial_testing.kafka_topics import create_topics
from tests.integration.windows.stream import stream
from tests.integration.windows.topics import OUTPUT, Topics

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]
ROOT = Path(__file__).resolve().parents[3]
SEED = 20
KILLS = 20
ATTEMPTS = 1200
PATIENCE_SECONDS = 40.0


def test_windows_equal_a_recount_after_twenty_kills(kafka_bootstrap: str, postgres_dsn: str, tmp_path: Path) -> None:
    chance, wires, began = random.Random(SEED), stream(SEED, ATTEMPTS), time.monotonic()
    names = [kind.TOPIC for kind in (CallDisposition, CallEnded, ClearanceClosed, ComplianceBlocked, ConnectRateWindow)]
    topics = Topics(bootstrap=kafka_bootstrap, prefix=asyncio.run(create_topics(kafka_bootstrap, *names)))
    share = -(-len(wires) // (KILLS + 1))
    with replicas(topics, schema_of(postgres_dsn), tmp_path) as children:
        for kill in range(KILLS):
            before = topics.size(OUTPUT)
            mine = wires[kill * share : (kill + 1) * share]
            topics.produce(mine[: share // 2])
            wait_for_more(topics, before)
            topics.produce(mine[share // 2 :])
            time.sleep(chance.random() * 0.8)
            victim = chance.choice(children)
            victim.kill()
            victim.spawn()
        topics.produce(wires[KILLS * share :])
        expected, found = topics.settle(PATIENCE_SECONDS)
        stopped = [child.stop() for child in children]
    print(
        f"windows: seed {SEED}, {len(wires)} events of {ATTEMPTS} attempts, {KILLS} kills in "
        f"{time.monotonic() - began:.0f} s; "
        f"{len(found.windows)} windows, {found.records} records, {found.repeats} repeats"
    )
    assert found.windows == expected
    assert (found.went_back, found.differed) == ([], [])
    assert sum(counts[0] for (_, seconds, _), counts in expected.items() if seconds == 300) > ATTEMPTS / 2
    assert stopped == [0, 0]


def schema_of(dsn: str) -> str:
    """A DSN whose search_path is a fresh schema."""
    schema = f"analytics_{uuid.uuid4().hex}"

    async def create() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.close()

    asyncio.run(create())
    return f"{dsn}{'&' if '?' in dsn else '?'}options=-csearch_path%3D{schema}"


@contextmanager
def replicas(topics: Topics, dsn: str, folder: Path) -> Iterator[list[Child]]:
    """Two replicas of the real service, whatever happens ended at the end."""
    children = [Child(spec(topics, dsn, folder, ordinal, port)) for ordinal, port in enumerate(free_ports(2))]
    try:
        for child in children:
            child.start()
        yield children
    finally:
        for child in children:
            child.kill()


def spec(topics: Topics, dsn: str, folder: Path, ordinal: int, port: int) -> ChildSpec:
    """How one replica runs: the domain clock reads the stream's time."""
    own = {
        "OUTDIAL_KAFKA_BOOTSTRAP": topics.bootstrap,
        "OUTDIAL_TOPIC_PREFIX": topics.prefix,
        "OUTDIAL_POSTGRES_DSN": dsn,
        "OUTDIAL_ORDINAL": str(ordinal),
        "OUTDIAL_HTTP_PORT": str(port),
        "OUTDIAL_LOG_LEVEL": "WARNING",
        "OUTDIAL_CLOCK_START": "2026-11-17T15:30:00Z",
        "OUTDIAL_CLOCK_ORIGIN_SECONDS": str(time.monotonic()),
    }
    return ChildSpec(
        name=f"analytics-{ordinal}",
        command=(sys.executable, "-m", "analytics"),
        log_path=folder / f"analytics-{ordinal}.log",
        env=child_environment(own),
        cwd=ROOT,
        ready=f"http://127.0.0.1:{port}/readyz",
    )


def wait_for_more(topics: Topics, before: int) -> None:
    """Until somebody published since."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while topics.size(OUTPUT) <= before:
        assert time.monotonic() < deadline, f"nobody published within {PATIENCE_SECONDS} s"
        time.sleep(0.05)
