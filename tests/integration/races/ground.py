"""What the races run on: replicas of the gate as processes, a PostgreSQL of their own, and topics under a prefix."""

from __future__ import annotations

import random
import secrets
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from outdial_cli.config import child_environment
from outdial_cli.embedded.postgres import PostgresNode, ServiceSchemas
from outdial_cli.embedded.process import Child, ChildSpec, answers, free_ports
from outdial_cli.embedded.supervisor import RestartPolicy, Supervisor
from outdial_cli.embedded.topics import create_topics
from outdial_cli.stack.environment import JWKS, SIGNING_KEY, RunClock, clock_variables
from outdial_cli.stack.materials import load_lists, make_keys
from outdial_cli.stack.stack import topic_specs

ROOT = Path(__file__).resolve().parents[3]
READY_SECONDS = 90.0
FIRST_SECONDS = (0.1, 0.6)
BETWEEN_SECONDS = (1.0, 3.0)
DOWN_SECONDS = (0.1, 0.8)
POLL_SECONDS = 0.2
POSTGRES = "postgres"


class Ground:
    """Starts and stops the replicas; whoever dies is started again."""

    def __init__(
        self,
        folder: Path,
        postgres: PostgresNode,
        bootstrap: str,
        *,
        replicas: int,
        schema: str = "compliance-gate",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`variables` are further ones of the replicas' environment."""
        self.folder, self.postgres, self.bootstrap = folder, postgres, bootstrap
        self.clock = RunClock(start="2026-11-17T17:00:00Z", origin_seconds=time.monotonic())
        self.prefix = f"races-{uuid.uuid4().hex[:8]}."
        self.token_keys = f"1:{secrets.token_hex(32)}"
        ports = free_ports(2 * replicas)
        self.grpc = [f"127.0.0.1:{port}" for port in ports[:replicas]]
        self.http = [f"http://127.0.0.1:{port}" for port in ports[replicas:]]
        self._schema, self._variables, self._ports = schema, dict(variables or {}), ports
        self.replicas: list[Child] = []
        self._supervisor: Supervisor | None = None
        self.dsn = ""
        """Of the gate's schema."""

    @property
    def jwks(self) -> Path:
        """Public keys of the ledger and the clearances."""
        return self.folder / "keys" / JWKS

    @property
    def tool(self) -> Path:
        """The gate's console script."""
        return Path(sys.executable).with_name("compliance-gate")

    @contextmanager
    def running(self) -> Iterator[Ground]:
        """Topics, keys, lists, schema, then the replicas, all of them ready; supervised until the end."""
        self.dsn = ServiceSchemas(self.postgres.admin_dsn(), self.postgres.secret).create(self._schema)
        create_topics(self.bootstrap, topic_specs(), self.prefix)
        make_keys(self.tool, self.folder / "keys", fresh=True)
        load_lists(self.tool, ROOT / "examples" / "lists", self.folder / "lists", self.clock.start)
        self.replicas = [Child(self._spec(n)) for n in range(len(self.grpc))]
        try:
            # The first one migrates; the machine has few cores.
            self.replicas[0].start()
            with ThreadPoolExecutor(len(self.replicas)) as pool:
                list(pool.map(lambda child: child.start(), self.replicas[1:]))
            self._supervisor = Supervisor([*self.replicas, self.postgres], restart=RestartPolicy(most=None))
            self._supervisor.adopt()
            yield self
        finally:
            if self._supervisor is not None:
                self._supervisor.let_go()
            for child in self.replicas:
                child.stop()

    def ready(self) -> list[int]:
        """Replicas that say so, now."""
        return [n for n, child in enumerate(self.replicas) if child.running and answers(f"{self.http[n]}/readyz")]

    def kill(self, name: str, down_seconds: float) -> None:
        """SIGKILL to a replica, or to every process of the database; it comes back after so long."""
        assert self._supervisor is not None
        self._supervisor.expect_down(name)
        if name == POSTGRES:
            self.postgres.send_signal(signal.SIGKILL)
            self.postgres.kill()
        else:
            self._supervisor.children[name].kill()
        time.sleep(down_seconds)
        self._supervisor.expect_up(name)

    def wait_ready(self) -> None:
        """Until all are. Raises TimeoutError."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.postgres.running or len(self.ready()) < len(self.replicas):
            if time.monotonic() > deadline:
                raise TimeoutError(f"replicas {self.ready()} of {len(self.replicas)} are ready after {READY_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def _spec(self, n: int) -> ChildSpec:
        count = len(self.grpc)
        own = {
            "OUTDIAL_KAFKA_BOOTSTRAP": self.bootstrap,
            "OUTDIAL_TOPIC_PREFIX": self.prefix,
            "OUTDIAL_ORDINAL": str(n),
            "OUTDIAL_GRPC_PORT": str(self._ports[n]),
            "OUTDIAL_HTTP_PORT": str(self._ports[count + n]),
            "OUTDIAL_ADVERTISED_HOST": "127.0.0.1",
            "OUTDIAL_POSTGRES_DSN": self.dsn,
            "OUTDIAL_TOKEN_KEYS": self.token_keys,
            "OUTDIAL_SIGNING_KEY_FILE": str((self.folder / "keys" / SIGNING_KEY).resolve()),
            "OUTDIAL_LISTS_DIR": str((self.folder / "lists").resolve()),
            **clock_variables(self.clock),
            **self._variables,
        }
        return ChildSpec(
            name=f"gate-{n}",
            command=(sys.executable, "-m", "compliance_gate"),
            log_path=self.folder / "logs" / f"gate-{n}.log",
            env=child_environment(own),
            ready=f"{self.http[n]}/readyz",
            ready_timeout_seconds=READY_SECONDS,
        )


class Storm:
    """Kills so many replicas and databases, one after another at random points, while it is entered.

    Order, times and lengths follow from the seed.
    """

    def __init__(
        self, ground: Ground, chance: random.Random, replicas: int, databases: int, say: Callable[[str], None]
    ) -> None:
        names = [child.name for child in ground.replicas]
        self._deck = [*(chance.choice(names) for _ in range(replicas)), *(databases * [POSTGRES])]
        chance.shuffle(self._deck)
        self._ground, self._chance, self._say = ground, chance, say
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="races-storm", daemon=True)
        self.killed: list[str] = []
        """`replica` or `postgres`, in order."""

    def __enter__(self) -> Storm:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(READY_SECONDS)

    def _run(self) -> None:
        wait = self._chance.uniform(*FIRST_SECONDS)
        for name in self._deck:
            seconds = self._chance.uniform(*DOWN_SECONDS)
            while self._over.wait(wait) or not self._may_kill(name):
                if self._over.is_set():
                    return
                wait = POLL_SECONDS
            wait = self._chance.uniform(*BETWEEN_SECONDS)
            self.killed.append("postgres" if name == POSTGRES else "replica")
            self._say(f"SIGKILL {name}, back after {seconds:.1f} s")
            self._ground.kill(name, seconds)

    def _may_kill(self, name: str) -> bool:
        """Not what is still being started."""
        if name == POSTGRES:
            return self._ground.postgres.running and self._ground.postgres.answers()
        return name in [self._ground.replicas[n].name for n in self._ground.ready()]
