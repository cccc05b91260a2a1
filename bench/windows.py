"""Live windows on outdial_runtime (the service) beside the same windows on faust: rates, CPU, recovery, exactness."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.cpu import sample
from outdial_cli.config import Config, child_environment
from outdial_cli.embedded import jars
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.postgres import PostgresNode
from outdial_cli.embedded.process import Child, ChildSpec, free_ports
from outdial_cli.embedded.topics import create_topics
from outdial_cli.stack.stack import topic_specs
from tests.integration.windows.stream import Wire, stream
from tests.integration.windows.topics import OUTPUT, Topics

ROOT = Path(__file__).resolve().parents[1]
SEED = 7
ATTEMPTS = 3_000
KILLS = 8
LOOK_SECONDS = 0.1
LIMIT_SECONDS = 120.0
COMMANDS = {"outdial_runtime": "analytics", "faust": "bench.windows_faust"}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One run's figures."""

    events: int
    start_seconds: float
    """From the spawn to the first window on the topic, with the events waiting."""
    rate: float
    """Events per second, from the first window on the topic until the topic equals the recount."""
    cpu_ms_per_event: float
    """Of the process, its start included."""
    postgres_ms_per_event: float
    kafka_ms_per_event: float
    recovery_seconds: tuple[float, ...]
    """From each SIGKILL and immediate restart to the next window on the topic, in order of size."""
    windows: int
    wrong_windows: int
    """Of them, after the kills and once nothing changes any more."""
    went_back: int
    differed: int
    """A revision that says two things."""
    records: int


def run(say: Callable[[str], None], attempts: int = ATTEMPTS) -> dict[str, Contender]:
    """Starts a Kafka and a PostgreSQL, measures one after the other, stops everything."""
    config = Config.from_env()
    with tempfile.TemporaryDirectory(prefix="outdial-bench-") as text:
        folder = Path(text)
        kafka = KafkaNode(folder / "kafka", config.cache_dir, jars.fetch(config.cache_dir / "jars"), record_aot=False)
        postgres = PostgresNode(folder / "postgres")
        try:
            kafka.start()
            postgres.start()
            return {name: _contender(name, kafka, postgres, folder, attempts, say) for name in COMMANDS}
        finally:
            kafka.stop()
            postgres.stop()


def _contender(
    name: str, kafka: KafkaNode, postgres: PostgresNode, folder: Path, attempts: int, say: Callable[[str], None]
) -> Contender:
    topics, wires = Topics(bootstrap=kafka.bootstrap, prefix=f"{name}."), stream(SEED, attempts)
    create_topics(kafka.bootstrap, topic_specs(), topics.prefix)
    half = len(wires) // 2
    topics.produce(wires[:half])
    child = Child(_spec(name, topics, asyncio.run(_schema(postgres.admin_dsn())), folder))
    try:
        pids = {"kafka": kafka.pid, "postgres": postgres.pid}
        start_seconds, seconds, cpu = _throughput(child, topics, pids)
        say(f"windows: {name} {half / seconds:.0f} events/s")
        recoveries = _kills(child, topics, wires[half:])
        expected, found = topics.settle(LIMIT_SECONDS)
    finally:
        child.stop()
    wrong = sum(expected.get(w) != found.windows.get(w) for w in expected.keys() | found.windows.keys())
    say(f"windows: {name} {wrong} of {len(expected)} windows wrong after {KILLS} kills")
    return Contender(
        events=half,
        start_seconds=round(start_seconds, 2),
        rate=round(half / seconds),
        cpu_ms_per_event=round(cpu["child"] / half, 3),
        postgres_ms_per_event=round(cpu["postgres"] / half, 3),
        kafka_ms_per_event=round(cpu["kafka"] / half, 3),
        recovery_seconds=tuple(sorted(round(r, 1) for r in recoveries)),
        windows=len(expected),
        wrong_windows=wrong,
        went_back=len(found.went_back),
        differed=len(found.differed),
        records=found.records,
    )


def _throughput(child: Child, topics: Topics, pids: dict[str, int | None]) -> tuple[float, float, dict[str, float]]:
    """Seconds to the first window, seconds from there to the right windows, CPU-ms by name."""
    leaders = {name: pid or 0 for name, pid in pids.items()}
    before, began = sample(leaders), time.monotonic()
    child.start()
    _wait_for_more(topics, 0, child)
    first = time.monotonic()
    topics.settle(LIMIT_SECONDS)
    after = sample({**leaders, "child": child.pid or 0})
    return first - began, time.monotonic() - first, after.since(before)


def _kills(child: Child, topics: Topics, wires: Sequence[Wire]) -> list[float]:
    """Kills at seeded moments while events come; seconds from each kill to the next window."""
    chance, share, recoveries = random.Random(SEED), len(wires) // KILLS + 1, []
    for kill in range(KILLS):
        before = topics.size(OUTPUT)
        mine = wires[kill * share : (kill + 1) * share]
        topics.produce(mine[: share // 2])
        _wait_for_more(topics, before, child)
        topics.produce(mine[share // 2 :])
        time.sleep(chance.random() * 0.8)
        child.kill()
        at = topics.size(OUTPUT)
        began = time.monotonic()
        child.spawn()
        topics.produce(mine[:20])
        _wait_for_more(topics, at, child)
        recoveries.append(time.monotonic() - began)
    return recoveries


def _wait_for_more(topics: Topics, before: int, child: Child) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while topics.size(OUTPUT) <= before:
        if not child.running or time.monotonic() > deadline:
            raise RuntimeError(f"no window came{child.log_tail()}")
        time.sleep(LOOK_SECONDS)


def _spec(name: str, topics: Topics, dsn: str, folder: Path) -> ChildSpec:
    [port] = free_ports(1)
    own = {
        "OUTDIAL_KAFKA_BOOTSTRAP": topics.bootstrap,
        "OUTDIAL_TOPIC_PREFIX": topics.prefix,
        "OUTDIAL_POSTGRES_DSN": dsn,
        "OUTDIAL_HTTP_PORT": str(port),
        "OUTDIAL_LOG_LEVEL": "WARNING",
        "OUTDIAL_CLOCK_START": "2026-11-17T15:30:00Z",
        "OUTDIAL_CLOCK_ORIGIN_SECONDS": str(time.monotonic()),
    }
    return ChildSpec(
        name=name,
        command=(sys.executable, "-m", COMMANDS[name]),
        log_path=folder / f"{name}.log",
        env=child_environment(own),
        cwd=ROOT,
    )


async def _schema(dsn: str) -> str:
    schema = f"bench_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE SCHEMA {schema}")
    await connection.close()
    return f"{dsn}{'&' if '?' in dsn else '?'}options=-csearch_path%3D{schema}"
