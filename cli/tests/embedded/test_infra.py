"""The real thing: Kafka and PostgreSQL start, survive kills with their data, and leave nothing running."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from outdial_cli.config import Config
from outdial_cli.embedded.jars import fetch
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.leftovers import DataDirInUse
from outdial_cli.embedded.postgres import SqlFailed, run_sql
from outdial_cli.embedded.supervisor import ChildEvent, ChildState, RestartPolicy, Supervisor
from outdial_cli.embedded.topics import TopicMismatch, TopicSpec, create_topics
from outdial_cli.embedded.world import EmbeddedInfra, Phase, PhaseState

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cache_dir() -> Path:
    return Config.from_env().cache_dir


@pytest.fixture(scope="module")
def infra(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[EmbeddedInfra]:
    with EmbeddedInfra(tmp_path_factory.mktemp("infra"), cache_dir) as started:
        yield started


def produce(infra: EmbeddedInfra, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": infra.bootstrap, "acks": "all"})
    producer.produce(topic, value)
    assert producer.flush(30) == 0


def read_first(infra: EmbeddedInfra, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": infra.bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.error() is None
    return message.value()


def test_topics_are_created_once_with_their_settings_and_prefix(infra: EmbeddedInfra) -> None:
    specs = [TopicSpec(name="lead.ready", partitions=2, config={"cleanup.policy": "compact"}), TopicSpec(name="one")]
    assert create_topics(infra.bootstrap, specs, prefix="a.") == ["a.lead.ready", "a.one"]
    assert create_topics(infra.bootstrap, specs, prefix="a.") == []
    with pytest.raises(TopicMismatch, match=r"a\.one has 1 partitions, not 3"):
        create_topics(infra.bootstrap, [TopicSpec(name="one", partitions=3)], prefix="a.")


def test_killed_kafka_comes_back_on_its_port_with_its_records(infra: EmbeddedInfra) -> None:
    create_topics(infra.bootstrap, [TopicSpec(name="kept")])
    produce(infra, "kept", b"before the kill")
    before = infra.bootstrap
    infra.kafka.kill()
    assert infra.down() == ["kafka"]
    infra.kafka.start()
    assert infra.down() == []
    assert infra.bootstrap == before
    assert read_first(infra, "kept") == b"before the kill"


def test_service_works_in_its_own_schema_and_sees_no_other(infra: EmbeddedInfra) -> None:
    router, gate = infra.dsn("lead-router"), infra.dsn("compliance-gate")
    run_sql(router, "CREATE TABLE leads (id int); INSERT INTO leads VALUES (1)")
    assert run_sql(router, "SELECT current_schema(), count(*) FROM leads") == "lead_router|1"
    with pytest.raises(SqlFailed, match="permission denied for schema lead_router"):
        run_sql(gate, "SELECT * FROM lead_router.leads")
    with pytest.raises(SqlFailed, match="permission denied for schema public"):
        run_sql(gate, "CREATE TABLE public.leads (id int)")
    assert infra.dsn("lead-router") == router


def test_role_is_not_open_to_whoever_knows_its_name(infra: EmbeddedInfra) -> None:
    infra.dsn("pacer")
    with pytest.raises(SqlFailed, match="password"):
        run_sql(f"postgresql://pacer@127.0.0.1:{infra.postgres.port}/outdial", "SELECT 1")


def test_dsn_serves_asyncpg(infra: EmbeddedInfra) -> None:
    async def who() -> object:
        connection = await asyncpg.connect(infra.dsn("disposition"))
        try:
            return await connection.fetchval("SELECT current_user || current_setting('search_path')")
        finally:
            await connection.close()

    assert asyncio.run(who()) == "dispositiondisposition"


def test_duplicate_key_leaves_no_value_in_the_log(infra: EmbeddedInfra) -> None:
    dsn = infra.dsn("analytics")
    run_sql(dsn, "CREATE TABLE seen (number text PRIMARY KEY); INSERT INTO seen VALUES ('a-secret-value')")
    with pytest.raises(SqlFailed, match="duplicate key"):
        run_sql(dsn, "INSERT INTO seen VALUES ('a-secret-value')")
    log = infra.folder.log("postgres").read_text()
    assert "duplicate key" in log
    assert "a-secret-value" not in log


def test_killed_postgres_keeps_what_was_committed(infra: EmbeddedInfra) -> None:
    dsn = infra.dsn("lead-router")
    run_sql(dsn, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
    infra.postgres.kill()
    with pytest.raises(SqlFailed):
        run_sql(dsn, "SELECT 1")
    infra.postgres.start()
    assert run_sql(dsn, "SELECT id FROM kept") == "7"


def test_paused_postgres_stands_still_with_every_process_of_its_own(infra: EmbeddedInfra) -> None:
    assert infra.postgres.pid is not None
    infra.postgres.send_signal(signal.SIGSTOP)
    try:
        children = Path(f"/proc/{infra.postgres.pid}/task/{infra.postgres.pid}/children").read_text().split()
        assert len(children) >= 3
        deadline = time.monotonic() + 10
        # A backend whose client has just left may be a zombie (Z) that only the postmaster could bury.
        while not {_state(pid) for pid in (str(infra.postgres.pid), *children)} <= {"T", "Z"}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        infra.postgres.send_signal(signal.SIGCONT)
    assert run_sql(infra.postgres.admin_dsn(), "SELECT 1") == "1"


def test_supervised_broker_and_database_come_back_by_themselves(infra: EmbeddedInfra) -> None:
    events: list[ChildEvent] = []
    supervisor = Supervisor([infra.kafka, infra.postgres], on_event=events.append, restart=RestartPolicy(most=None))
    supervisor.adopt()
    try:
        for node in (infra.kafka, infra.postgres):
            node.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 90
        while len([event for event in events if event.state is ChildState.READY]) < 2:
            assert time.monotonic() < deadline, events
            time.sleep(0.1)
    finally:
        supervisor.let_go()
    assert infra.kafka.answers()
    assert infra.postgres.answers()


def _state(pid: str) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_second_run_on_the_same_folder_is_refused(infra: EmbeddedInfra, cache_dir: Path) -> None:
    with pytest.raises(DataDirInUse, match=str(os.getpid())):
        EmbeddedInfra(infra.folder.path, cache_dir).start()
    assert infra.kafka.running


def test_unusable_aot_cache_is_no_reason_to_fail_and_is_removed(tmp_path: Path, cache_dir: Path) -> None:
    node = KafkaNode(tmp_path / "kafka", tmp_path, fetch(cache_dir / "jars"))
    node.aot_cache.write_bytes(b"no cache of any JVM" * 1000)
    node.start()
    try:
        assert node.times is not None
        assert node.times.aot
        assert not node.aot_cache.exists()
    finally:
        node.stop()


def test_first_polite_stop_writes_the_cache_and_a_kill_leaves_no_half_of_it(tmp_path: Path, cache_dir: Path) -> None:
    node = KafkaNode(tmp_path / "kafka", tmp_path / "cache", fetch(cache_dir / "jars"))
    node.start()
    assert node.recording
    node.kill()
    assert list((tmp_path / "cache").iterdir()) == []
    node.start()
    node.stop()
    assert list((tmp_path / "cache").iterdir()) == [node.aot_cache]


def test_run_after_a_dead_one_ends_its_leftovers_and_keeps_its_data(tmp_path: Path, cache_dir: Path) -> None:
    code = f"""
import time
from pathlib import Path
from outdial_cli.embedded.process import the_guard
from outdial_cli.embedded.world import EmbeddedInfra
infra = EmbeddedInfra(Path({str(tmp_path)!r}), Path({str(cache_dir.absolute())!r}), record_aot=False)
infra.start()
infra.dsn("pacer")
print(the_guard().pid, flush=True)
time.sleep(120)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        os.kill(int(run.stdout.readline()), signal.SIGKILL)
        time.sleep(0.2)
        run.kill()
    phases: list[Phase] = []
    with EmbeddedInfra(tmp_path, cache_dir, phases.append, record_aot=False) as second:
        schemas = run_sql(second.postgres.admin_dsn(), "SELECT nspname FROM pg_namespace WHERE nspname = 'pacer'")
    assert schemas == "pacer"
    assert phases[0].detail == "collector, kafka, postgres"
    done = [phase.name for phase in phases if phase.state is PhaseState.DONE]
    assert set(done[1:-1]) == {"jars", "kafka", "postgres", "collector"}
    assert done[-1] == "stop"
