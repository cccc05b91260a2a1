"""Kafka, PostgreSQL and the trace collector as one thing to start and stop: for the demo, `outdial up` and tests alike.

Synchronous, with threads inside, so that pytest's session fixtures and a running event loop's executor can both use it.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from outdial_cli.config import Config, ConfigError, InfraKind
from outdial_cli.embedded import jars
from outdial_cli.embedded.collector import CollectorNode
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.leftovers import DirectoryLock, end_leftovers
from outdial_cli.embedded.postgres import PostgresNode, ServiceSchemas


class PhaseState(StrEnum):
    """Where a phase stands."""

    STARTED = "started"
    PROGRESS = "progress"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A step of starting or stopping, for the screen."""

    name: str
    """leftovers, jars, kafka, postgres, collector, stop."""
    state: PhaseState
    seconds: float = 0.0
    """Since the phase began."""
    detail: str = ""


OnPhase = Callable[[Phase], None]
Node = TypeVar("Node")


class Infra(Protocol):
    """What services need to run."""

    @property
    def bootstrap(self) -> str:
        """Kafka's host:port list."""

    @property
    def otlp_endpoint(self) -> str:
        """For OTLP/gRPC exporters."""

    @property
    def collector_url(self) -> str:
        """Base URL of the trace look-up."""

    def start(self) -> None:
        """Everything answers afterwards, or an error is raised and nothing is left running."""

    def stop(self) -> None:
        """Nothing of ours runs afterwards."""

    def dsn(self, service: str) -> str:
        """DSN of the service's own role, whose schema is there afterwards."""


def infra_for(config: Config, on_phase: OnPhase | None = None, *, fresh: bool = False) -> Infra:
    """The infrastructure the configuration asks for, not yet started. Raises ConfigError."""
    if config.infra is InfraKind.CONTAINERS:
        raise ConfigError("OUTDIAL_INFRA=containers is not supported yet; use embedded or external")
    if config.infra is InfraKind.EMBEDDED:
        return EmbeddedInfra(config.data_dir, config.cache_dir, on_phase, fresh=fresh)
    if config.kafka_bootstrap is None or config.postgres_dsn is None:
        raise ConfigError("OUTDIAL_INFRA=external needs OUTDIAL_KAFKA_BOOTSTRAP and OUTDIAL_POSTGRES_DSN")
    return ExternalInfra(config.data_dir, config.kafka_bootstrap, config.postgres_dsn, on_phase)


class Folder:
    """A data folder: its lock, logs, pid files and the phases told while it is used."""

    def __init__(self, path: Path, on_phase: OnPhase | None) -> None:
        self.path = path.absolute()
        self.pids_dir = self.path / "pids"
        self._lock = DirectoryLock(self.path)
        self._on_phase = on_phase
        self._telling = threading.Lock()

    def open(self) -> None:
        """Takes the lock and ends what an earlier run left behind. Raises DataDirInUse."""
        self._lock.acquire()
        started = time.monotonic()
        ended = end_leftovers(self.pids_dir)
        if ended:
            seconds = time.monotonic() - started
            self.tell(Phase(name="leftovers", state=PhaseState.DONE, seconds=seconds, detail=", ".join(ended)))

    def close(self) -> None:
        """Gives the lock back."""
        self._lock.release()

    def log(self, name: str) -> Path:
        """Log file of a process."""
        return self.path / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Pid file of a process (ChildSpec.pid_file), for the next run to find what this one may leave."""
        return self.pids_dir / f"{name}.pid"

    def tell(self, phase: Phase) -> None:
        """Passes a phase on, one at a time."""
        if self._on_phase is not None:
            with self._telling:
                self._on_phase(phase)

    @contextmanager
    def phase(self, name: str) -> Iterator[Callable[[str], None]]:
        """Tells the beginning and the end; yields a function that sets the detail told with the end."""
        detail = [""]
        started = time.monotonic()
        self.tell(Phase(name=name, state=PhaseState.STARTED))
        yield lambda text: detail.__setitem__(0, text)
        seconds = time.monotonic() - started
        self.tell(Phase(name=name, state=PhaseState.DONE, seconds=seconds, detail=detail[0]))


class EmbeddedInfra:
    """Infra on this machine; needs no container engine, no root, no Java."""

    def __init__(
        self,
        data_dir: Path,
        cache_dir: Path,
        on_phase: OnPhase | None = None,
        *,
        fresh: bool = False,
        record_aot: bool = True,
    ) -> None:
        """`fresh` removes an earlier run's data first (never the cache)."""
        self.folder = Folder(data_dir, on_phase)
        self._cache_dir = cache_dir.absolute()
        self._fresh = fresh
        self._record_aot = record_aot
        self._kafka: KafkaNode | None = None
        self._postgres: PostgresNode | None = None
        self._collector: CollectorNode | None = None

    def __enter__(self) -> EmbeddedInfra:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def kafka(self) -> KafkaNode:
        """To kill and restart in a storm. Raises RuntimeError before start()."""
        return _started(self._kafka)

    @property
    def postgres(self) -> PostgresNode:
        """To kill and restart in a storm. Raises RuntimeError before start()."""
        return _started(self._postgres)

    @property
    def collector(self) -> CollectorNode:
        """Raises RuntimeError before start()."""
        return _started(self._collector)

    @property
    def bootstrap(self) -> str:
        """As Infra."""
        return self.kafka.bootstrap

    @property
    def otlp_endpoint(self) -> str:
        """As Infra."""
        return self.collector.endpoint

    @property
    def collector_url(self) -> str:
        """As Infra."""
        return self.collector.url

    def start(self) -> None:
        """Starts all three side by side. Raises DataDirInUse, JarError, ChildFailed; then nothing is left running."""
        self.folder.open()
        try:
            if self._fresh:
                for name in ("kafka", "postgres", "traces.jsonl", "logs"):
                    _remove(self.folder.path / name)
            with ThreadPoolExecutor(3) as pool:
                steps = (self._start_kafka, self._start_postgres, self._start_collector)
                for done in [pool.submit(step) for step in steps]:
                    done.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops all three side by side and gives the data folder back; harmless when repeated."""
        nodes = [node for node in (self._kafka, self._postgres, self._collector) if node is not None]
        try:
            if nodes:
                with self.folder.phase("stop") as told, ThreadPoolExecutor(3) as pool:
                    if self._kafka is not None and self._kafka.recording:
                        told("recorded Kafka's start-up cache, once: the next start is faster")
                    for done in [pool.submit(node.stop) for node in nodes]:
                        done.result()
        finally:
            self._kafka = self._postgres = self._collector = None
            self.folder.close()

    def down(self) -> list[str]:
        """Names of those that should run and do not, for whoever watches."""
        running = {
            "kafka": self.kafka.running,
            "postgres": self.postgres.running,
            "collector": self.collector.child.running,
        }
        return [name for name, up in running.items() if not up]

    def dsn(self, service: str) -> str:
        """As Infra. Raises SqlFailed."""
        return self.postgres.create_service_schema(service)

    def _start_kafka(self) -> None:
        with self.folder.phase("jars"):
            classpath = jars.fetch(self._cache_dir / "jars", self._jar_progress)
        with self.folder.phase("kafka") as told:
            self._kafka = node = KafkaNode(
                self.folder.path / "kafka",
                self._cache_dir,
                classpath,
                log_path=self.folder.log("kafka"),
                pid_file=self.folder.pid_file("kafka"),
                record_aot=self._record_aot,
            )
            node.start()
            told(node.bootstrap)

    def _start_postgres(self) -> None:
        with self.folder.phase("postgres") as told:
            self._postgres = node = PostgresNode(
                self.folder.path / "postgres",
                log_path=self.folder.log("postgres"),
                pid_file=self.folder.pid_file("postgres"),
            )
            node.start()
            told(f"127.0.0.1:{node.port}")

    def _start_collector(self) -> None:
        with self.folder.phase("collector") as told:
            self._collector = node = _collector(self.folder)
            node.start()
            told(node.url)

    def _jar_progress(self, done: int, total: int) -> None:
        self.folder.tell(Phase(name="jars", state=PhaseState.PROGRESS, detail=f"{done}/{total}"))


class ExternalInfra:
    """Kafka and PostgreSQL that somebody else runs; the collector is ours all the same."""

    def __init__(self, data_dir: Path, bootstrap: str, postgres_dsn: str, on_phase: OnPhase | None = None) -> None:
        self.folder = Folder(data_dir, on_phase)
        self._bootstrap = bootstrap
        self._postgres_dsn = postgres_dsn
        self._secret = secrets.token_hex(16)
        self._collector: CollectorNode | None = None

    @property
    def bootstrap(self) -> str:
        """As Infra."""
        return self._bootstrap

    @property
    def otlp_endpoint(self) -> str:
        """As Infra."""
        return _started(self._collector).endpoint

    @property
    def collector_url(self) -> str:
        """As Infra."""
        return _started(self._collector).url

    def start(self) -> None:
        """Starts the collector. Raises DataDirInUse, ChildFailed."""
        self.folder.open()
        try:
            with self.folder.phase("collector") as told:
                self._collector = node = _collector(self.folder)
                node.start()
                told(node.url)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops the collector; harmless when repeated."""
        if self._collector is not None:
            self._collector.stop()
            self._collector = None
        self.folder.close()

    def dsn(self, service: str) -> str:
        """As Infra; the role gets a new password with every run. Raises SqlFailed."""
        return ServiceSchemas(self._postgres_dsn, self._secret).create(service)


def _collector(folder: Folder) -> CollectorNode:
    return CollectorNode(
        folder.path / "traces.jsonl", log_path=folder.log("collector"), pid_file=folder.pid_file("collector")
    )


def _started(node: Node | None) -> Node:
    if node is None:
        raise RuntimeError("the infrastructure has not been started")
    return node


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
