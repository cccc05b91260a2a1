"""All processes of outdial on this machine: the one code path of demo, tests and `outdial up`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from outdial_cli.config import Config, child_environment
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.postgres import PostgresNode
from outdial_cli.embedded.process import Child, ChildSpec, accepts, answers
from outdial_cli.embedded.supervisor import ChildEvent, RestartPolicy, Supervised, Supervisor
from outdial_cli.embedded.topics import TopicSpec, create_topics
from outdial_cli.embedded.world import EmbeddedInfra, Infra, Phase, PhaseState, infra_for
from outdial_cli.stack.environment import (
    WEBHOOK_SECRET_ENV,
    WITH_DATABASE,
    RunClock,
    Settings,
    clock_variables,
    environment_of,
)
from outdial_cli.stack.layout import (
    SERVICES,
    Addresses,
    Secrets,
    StackState,
    kept_secrets,
    new_addresses,
    process_names,
    replica_of,
)
from outdial_cli.stack.materials import LISTS, load_lists, make_keys
from outdial_contracts.topics import TOPICS

GATE = "compliance-gate"
PROMPTS = Path("examples") / "prompts"
GATE_PROXY = "gate-proxy"
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
    reports_dir: Path | None = None
    """Of report.html files, for the console's page."""
    topic_prefix: str = ""
    prompts_dir: Path = PROMPTS
    lists_dir: Path = LISTS
    """Files of external suppression lists, each named by its list's id."""
    carrier_sip_port: int | None = None
    """Where the simulated carrier listens; None takes a free port."""
    fresh: bool = True
    """Begin with empty topics and databases; False goes on with what an earlier run left."""
    replicas: Mapping[str, int] = field(default_factory=dict)
    """service -> how many processes; one where it is not named. More than one of the gate needs `gate_proxy`."""
    gate_proxy: bool = False
    """A TCP proxy between the gate and its clients, to spread over replicas and to cut off."""


class Stack:
    """Start it, use its addresses, stop it: nothing is left running."""

    def __init__(self, options: StackOptions, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        config = replace(Config.from_env(), data_dir=options.data_dir, cache_dir=options.cache_dir)
        self._infra: Infra = infra_for(config, self._on_phase, fresh=options.fresh)
        self._children: dict[str, Child] = {}
        self._world: dict[str, Child] = {}
        self._crm: Child | None = None
        self._stopping = threading.Event()
        self._supervisor: Supervisor | None = None
        self.addresses: Addresses = new_addresses(replicas=options.replicas, gate_proxy=options.gate_proxy)
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
    def lists_dir(self) -> Path:
        """Snapshots of external suppression lists."""
        return self._options.data_dir / "lists"

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
    def crm_log(self) -> Path:
        """What webhooks the simulated CRM took."""
        return self._options.data_dir / "crm.jsonl"

    @property
    def crm_url(self) -> str:
        """Base URL of the simulated CRM."""
        return f"http://127.0.0.1:{self.addresses.crm_port}"

    @property
    def spans_log(self) -> Path:
        """Every span that was collected."""
        return self._options.data_dir / "traces.jsonl"

    def start(self) -> None:
        """Infrastructure, topics, keys, then all services at once; returns when every one is ready."""
        self._infra.start()
        for log in (self.carrier_log, self.agents_log, self.crm_log):
            log.unlink(missing_ok=True)
        create_topics(self.bootstrap, topic_specs(), self.topic_prefix)
        make_keys(self.tool(GATE), self.keys_dir, fresh=self._options.fresh)
        load_lists(self.tool(GATE), self._options.lists_dir, self.lists_dir, self._options.clock.start)
        settings = self._settings()
        if self.addresses.gate_port is not None:
            self._children[GATE_PROXY] = Child(self._proxy_spec())
        for name in process_names(self._options.replicas):
            self._children[name] = Child(self._spec(name, settings))
        # First replicas first: a machine of few cores has enough to do with one of each.
        firsts = [child for child in self._children.values() if replica_of(child.name)[1] == 0]
        for wave in (firsts, [child for child in self._children.values() if child not in firsts]):
            with ThreadPoolExecutor(max(1, len(wave))) as pool:
                list(pool.map(lambda child: child.start(), wave))
        self._say("every service is ready")

    def start_world(self, scenario: Path, campaign_id: str, team_id: str) -> None:
        """The simulated carrier, then the simulated agents: some at each replica of the console."""
        scenario = scenario.resolve()
        ports = ("--port", str(self.addresses.carrier_sip_port))
        control = ("--control-port", str(self.addresses.carrier_control_port))
        carrier = ("carrier", "--scenario", str(scenario), *ports, *control, "--log", str(self.carrier_log))
        health = f"http://127.0.0.1:{self.addresses.carrier_control_port}/healthz"
        self._world["carrier"] = Child(self._sim_spec("carrier", carrier, health))
        for console in process_names(self._options.replicas):
            service, ordinal = replica_of(console)
            if service == "console":
                desk = ("--console", self.addresses.url(console), "--team", team_id, "--campaign", campaign_id)
                prefix = ("--prefix", f"agent-{ordinal}-" if ordinal else "agent-")
                agents = ("agents", "--scenario", str(scenario), *desk, *prefix, "--log", str(self.agents_log))
                name = f"agents-{ordinal}" if ordinal else "agents"
                self._world[name] = Child(self._sim_spec(name, agents, None))
        for child in self._world.values():
            child.start()

    def start_crm(self) -> None:
        """The simulated CRM, which takes webhooks until the stack stops; harmless when it runs."""
        if self._crm is not None:
            return
        port = ("--port", str(self.addresses.crm_port), "--log", str(self.crm_log))
        self._crm = Child(self._sim_spec("crm", ("crm", "receive", *port), f"{self.crm_url}/healthz"))
        self._crm.start()

    def stop_world(self) -> None:
        """Agents sign out, then the carrier hangs up."""
        for name in reversed(list(self._world)):
            self._world.pop(name).stop()

    def stop(self) -> None:
        """Everything, callers before the called; harmless when nothing runs."""
        self._stopping.set()
        self.stop_world()
        with ThreadPoolExecutor(max(1, len(self._children))) as pool:
            list(pool.map(lambda child: child.stop(), self._children.values()))
        self._children.clear()
        if self._crm is not None:
            self._crm.stop()
        self._infra.stop()

    @property
    def process_names(self) -> tuple[str, ...]:
        """Every process of the services, replicas included."""
        return process_names(self._options.replicas)

    @property
    def node_names(self) -> tuple[str, ...]:
        """Broker and database where they are this stack's own processes, else nothing."""
        return tuple(node.name for node in self._nodes())

    @contextmanager
    def supervised(self, on_event: Callable[[ChildEvent], None] | None = None) -> Iterator[None]:
        """Within it whatever ends is started again with back-off, broker and database included (embedded only).

        What kill() took down stays down until restart(); a process that SIGTERM ended is started again at once.
        """
        processes: list[Supervised] = [*self._children.values(), *self._nodes()]
        supervisor = Supervisor(processes, on_event=on_event, restart=RestartPolicy(most=None))
        supervisor.adopt()
        self._supervisor = supervisor
        try:
            yield
        finally:
            self._supervisor = None
            supervisor.let_go()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals a process; SIGKILL is waited for, and the process stays down until restart()."""
        process = self.process(name)
        if number is signal.SIGKILL:
            if self._supervisor is not None:
                self._supervisor.expect_down(name)
            process.kill()
        else:
            process.send_signal(number)

    def restart(self, name: str) -> None:
        """Starts a process that was killed; returns when it is ready, or at once under supervision."""
        if self._supervisor is not None:
            self._supervisor.expect_up(name)
        else:
            self.process(name).start()

    def restart_with_clock(self, name: str, clock: RunClock) -> None:
        """Kills a service and lets it start with another clock. Under supervision only."""
        self.kill(name)
        child = self._children[name]
        child.spec = replace(child.spec, env={**(child.spec.env or {}), **clock_variables(clock)})
        self.restart(name)

    def process(self, name: str) -> Supervised:
        """A service's process, gate-proxy, kafka or postgres (embedded only). Raises KeyError."""
        return {**self._children, **{node.name: node for node in self._nodes()}}[name]

    def ready(self, name: str) -> bool:
        """Whether the process runs and says that it is ready, now."""
        process = self.process(name)
        if not process.running:
            return False
        if name == GATE_PROXY:
            return self.addresses.gate_port is not None and accepts(self.addresses.gate_port)
        if name in self._children:
            return answers(f"{self.addresses.url(name)}/readyz")
        return any(node.name == name and node.answers() for node in self._nodes())

    @property
    def clock(self) -> RunClock:
        """The clock of every service that was not told another."""
        return self._options.clock

    @property
    def database_dsn(self) -> str:
        """The superuser's, embedded only; for whoever slows the database down."""
        assert isinstance(self._infra, EmbeddedInfra)
        return self._infra.postgres.admin_dsn()

    def infra_logs(self) -> list[Path]:
        """Logs of the broker, the database and the collector."""
        return [path for path in self.logs_dir.glob("*.log") if replica_of(path.stem)[0] not in SERVICES]

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
            lists_dir=self.lists_dir.resolve(),
            clock=self._options.clock,
            dsns={name: self._infra.dsn(name) for name in SERVICES if name in WITH_DATABASE},
            collector_url=self._infra.collector_url,
            reports_dir=self._options.reports_dir.resolve() if self._options.reports_dir else None,
        )

    def _nodes(self) -> Sequence[KafkaNode | PostgresNode]:
        return (self._infra.kafka, self._infra.postgres) if isinstance(self._infra, EmbeddedInfra) else ()

    def _proxy_spec(self) -> ChildSpec:
        port = self.addresses.gate_port
        assert port is not None
        gates = [name for name in self.process_names if replica_of(name)[0] == GATE]
        targets = ",".join(self.addresses.grpc(name) for name in gates)
        return ChildSpec(
            name=GATE_PROXY,
            command=(sys.executable, "-m", "outdial_cli.stack.proxy", "--port", str(port), "--to", targets),
            log_path=self.logs_dir / f"{GATE_PROXY}.log",
            ready=lambda: accepts(port),
            pid_file=self._options.data_dir / "pids" / f"{GATE_PROXY}.pid",
        )

    def _spec(self, name: str, settings: Settings) -> ChildSpec:
        return ChildSpec(
            name=name,
            command=(str(self.tool(replica_of(name)[0])),),
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
            env=child_environment({**trunk, WEBHOOK_SECRET_ENV: self.secrets.webhook_secret}),
            ready=ready,
            stop_timeout_seconds=DRAIN_SECONDS,
            pid_file=self._options.data_dir / "pids" / f"{name}.pid",
        )

    def _on_phase(self, phase: Phase) -> None:
        if phase.state is PhaseState.DONE:
            self._say(f"{phase.name} ready after {phase.seconds:.1f} s")
        elif phase.state is PhaseState.PROGRESS:
            self._say(f"{phase.name} {phase.detail}")


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
