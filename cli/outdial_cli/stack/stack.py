"""All processes of outdial on this machine: the one code path of demo, tests and `outdial up`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from outdial_cli.config import Config, child_environment
from outdial_cli.embedded.process import Child, ChildSpec
from outdial_cli.embedded.topics import TopicSpec, create_topics
from outdial_cli.embedded.world import Infra, Phase, PhaseState, infra_for
from outdial_cli.stack.environment import JWKS, WITH_DATABASE, RunClock, Settings, environment_of
from outdial_cli.stack.layout import SERVICES, Addresses, Secrets, StackState, kept_secrets, new_addresses
from outdial_contracts.topics import TOPICS

PROMPTS = Path("examples") / "prompts"
READY_SECONDS = 90.0
DRAIN_SECONDS = 40.0
DEAD_LETTER_RETENTION_MS = 30 * 86_400_000
COMPACT_FOREVER = {"cleanup.policy": "compact"}


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """Where a stack keeps its data, and its clock."""

    data_dir: Path
    """Of this stack: databases, logs, keys."""
    cache_dir: Path
    """Shared by all stacks: jars, AOT cache."""
    clock: RunClock = field(default_factory=RunClock)
    topic_prefix: str = ""
    prompts_dir: Path = PROMPTS
    carrier_sip_port: int | None = None
    """Where the simulated carrier listens; None takes a free port."""
    fresh: bool = True
    """Begin with empty topics and databases; False goes on with what an earlier run left."""


class Stack:
    """Start it, use its addresses, stop it: nothing is left running."""

    def __init__(self, options: StackOptions, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        config = replace(Config.from_env(), data_dir=options.data_dir, cache_dir=options.cache_dir)
        self._infra: Infra = infra_for(config, self._on_phase, fresh=options.fresh)
        self._children: dict[str, Child] = {}
        self._world: dict[str, Child] = {}
        self._stopping = threading.Event()
        self.addresses: Addresses = new_addresses()
        if options.carrier_sip_port is not None:
            self.addresses = replace(self.addresses, carrier_sip_port=options.carrier_sip_port)
        self.topic_prefix = options.topic_prefix
        self.started_at = time.time()

    @cached_property
    def secrets(self) -> Secrets:
        """Made or read once the data folder is this stack's own."""
        return kept_secrets(self._options.data_dir, fresh=self._options.fresh)

    @property
    def bootstrap(self) -> str:
        """Kafka's host:port."""
        return self._infra.bootstrap

    @property
    def keys_dir(self) -> Path:
        """The gate's signing key and its public set."""
        return self._options.data_dir / "keys"

    @property
    def logs_dir(self) -> Path:
        """One log per process."""
        return self._options.data_dir / "logs"

    @property
    def carrier_log(self) -> Path:
        """What the simulated carrier saw."""
        return self._options.data_dir / "carrier.jsonl"

    @property
    def agents_log(self) -> Path:
        """What the simulated agents did."""
        return self._options.data_dir / "agents.jsonl"

    @property
    def spans_log(self) -> Path:
        """Every span that was collected."""
        return self._options.data_dir / "traces.jsonl"

    def start(self) -> None:
        """Infrastructure, topics, keys, then all services at once; returns when every one is ready."""
        self._infra.start()
        for log in (self.carrier_log, self.agents_log):
            log.unlink(missing_ok=True)
        create_topics(self.bootstrap, topic_specs(), self.topic_prefix)
        self._make_keys()
        settings = self._settings()
        for name in SERVICES:
            self._children[name] = Child(self._spec(name, settings))
        with ThreadPoolExecutor(len(SERVICES)) as pool:
            list(pool.map(lambda child: child.start(), self._children.values()))
        self._say("every service is ready")

    def start_world(self, scenario: Path, campaign_id: str, team_id: str) -> None:
        """The simulated carrier, then the simulated agents."""
        scenario = scenario.resolve()
        ports = ("--port", str(self.addresses.carrier_sip_port))
        control = ("--control-port", str(self.addresses.carrier_control_port))
        carrier = ("carrier", "--scenario", str(scenario), *ports, *control, "--log", str(self.carrier_log))
        desk = ("--console", self.addresses.url("console"), "--team", team_id, "--campaign", campaign_id)
        agents = ("agents", "--scenario", str(scenario), *desk, "--log", str(self.agents_log))
        health = f"http://127.0.0.1:{self.addresses.carrier_control_port}/healthz"
        self._world["carrier"] = Child(self._sim_spec("carrier", carrier, health))
        self._world["agents"] = Child(self._sim_spec("agents", agents, None))
        for child in self._world.values():
            child.start()

    def stop_world(self) -> None:
        """Agents sign out, then the carrier hangs up."""
        for name in ("agents", "carrier"):
            child = self._world.pop(name, None)
            if child is not None:
                child.stop()

    def stop(self) -> None:
        """Everything, callers before the called; harmless when nothing runs."""
        self._stopping.set()
        self.stop_world()
        with ThreadPoolExecutor(max(1, len(self._children))) as pool:
            list(pool.map(lambda child: child.stop(), self._children.values()))
        self._children.clear()
        self._infra.stop()

    def kill(self, service: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals a service; SIGKILL is waited for."""
        child = self._children[service]
        if number is signal.SIGKILL:
            child.kill()
        else:
            child.send_signal(number)

    def restart(self, service: str) -> None:
        """Starts a service that was killed; returns when it is ready."""
        self._children[service].start()

    def infra_logs(self) -> list[Path]:
        """Logs of the broker, the database and the collector."""
        return [path for path in self.logs_dir.glob("*.log") if path.stem not in SERVICES]

    def tool(self, name: str) -> Path:
        """Path of a console script of this environment."""
        return Path(sys.executable).with_name(name)

    def state(self) -> StackState:
        """What stack.json says."""
        return StackState(
            pid=os.getpid(),
            bootstrap=self.bootstrap,
            collector_url=self._infra.collector_url,
            topic_prefix=self.topic_prefix,
            addresses=self.addresses,
            started_at=self.started_at,
            clock_start=self._options.clock.start,
        )

    def watch(self) -> None:
        """Blocks until SIGTERM, Ctrl-C or a service that ended by itself. Raises ValueError naming it."""
        signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())
        try:
            while not self._stopping.wait(0.5):
                for name, child in self._children.items():
                    if not child.running:
                        raise ValueError(f"{name} ended with {child.exit_code}; see {child.spec.log_path}")
        except KeyboardInterrupt:
            return

    def _settings(self) -> Settings:
        return Settings(
            bootstrap=self.bootstrap,
            topic_prefix=self.topic_prefix,
            otlp_endpoint=self._infra.otlp_endpoint,
            addresses=self.addresses,
            secrets=self.secrets,
            keys_dir=self.keys_dir.resolve(),
            prompts_dir=self._options.prompts_dir.resolve(),
            clock=self._options.clock,
            dsns={name: self._infra.dsn(name) for name in SERVICES if name in WITH_DATABASE},
        )

    def _spec(self, name: str, settings: Settings) -> ChildSpec:
        return ChildSpec(
            name=name,
            command=(str(self.tool(name)),),
            log_path=self.logs_dir / f"{name}.log",
            env=child_environment(environment_of(name, settings)),
            ready=f"{self.addresses.url(name)}/readyz",
            ready_timeout_seconds=READY_SECONDS,
            stop_timeout_seconds=DRAIN_SECONDS,
            pid_file=self._options.data_dir / "pids" / f"{name}.pid",
        )

    def _sim_spec(self, name: str, arguments: tuple[str, ...], ready: str | None) -> ChildSpec:
        trunk = {"OUTDIAL_SIM_CARRIER_USER": "outdial", "OUTDIAL_SIM_CARRIER_PASSWORD": self.secrets.trunk_password}
        return ChildSpec(
            name=name,
            command=(str(self.tool("outdial-sim")), *arguments),
            log_path=self.logs_dir / f"{name}.log",
            env=child_environment(trunk),
            ready=ready,
            stop_timeout_seconds=DRAIN_SECONDS,
            pid_file=self._options.data_dir / "pids" / f"{name}.pid",
        )

    def _on_phase(self, phase: Phase) -> None:
        if phase.state is PhaseState.DONE:
            self._say(f"{phase.name} ready after {phase.seconds:.1f} s")
        elif phase.state is PhaseState.PROGRESS:
            self._say(f"{phase.name} {phase.detail}")

    def _make_keys(self) -> None:
        if self._options.fresh:
            shutil.rmtree(self.keys_dir, ignore_errors=True)
        if (self.keys_dir / JWKS).exists():
            return
        command = [str(self.tool("compliance-gate")), "keys", "new", "--out", str(self.keys_dir)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if made.returncode != 0:
            raise ValueError(f"no signing key: {made.stderr.strip()}")


def topic_specs() -> list[TopicSpec]:
    """Every topic of the contract and its dead-letter topic, as the broker must have them."""
    specs = []
    for topic in TOPICS.values():
        retention = {"retention.ms": str(topic.retention_ms)}
        config = COMPACT_FOREVER if topic.cleanup == "compact" else retention
        specs.append(TopicSpec(name=topic.name, partitions=topic.partitions, config=config))
        if topic.dead_letter:
            dead = {"retention.ms": str(DEAD_LETTER_RETENTION_MS)}
            specs.append(TopicSpec(name=topic.dead_letter, partitions=1, config=dead))
    return specs
