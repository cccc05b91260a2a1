"""The faults of a storm. Each is injected and healed; broken processes come back by the stack's supervision."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from outdial_cli.embedded.postgres import SqlFailed, run_sql
from outdial_cli.stack.stack import GATE_PROXY
from tests.integration.storm.ground import Ground

DRAIN_SECONDS = 60.0
STALL_SECONDS, GO_SECONDS = 0.12, 0.04
WAL_SWITCHES = 12
ONE_WAL_SEGMENT = "SELECT pg_logical_emit_message(false, 'storm', 'x'); SELECT pg_switch_wal();"


class Fault(Protocol):
    """Something that goes wrong for `seconds`."""

    @property
    def kind(self) -> str:
        """For tables: what, and to whom."""

    @property
    def seconds(self) -> float:
        """From inject() to heal()."""

    @property
    def shuts(self) -> bool:
        """No INVITE may leave while it lasts."""

    def inject(self, ground: Ground) -> None:
        """It begins."""

    def heal(self, ground: Ground) -> None:
        """Its cause goes away; recovery is timed from the end of this call."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """SIGKILL, to several at once when there are several; they are let start again after `seconds`."""

    names: tuple[str, ...]
    seconds: float
    shuts: bool = False

    @property
    def kind(self) -> str:
        return f"SIGKILL {self.names[0]}" if len(self.names) == 1 else "SIGKILL burst"

    def inject(self, ground: Ground) -> None:
        with ThreadPoolExecutor(len(self.names)) as pool:
            list(pool.map(ground.stack.kill, self.names))
        for name in self.names:
            ground.note_end(name)

    def heal(self, ground: Ground) -> None:
        for name in self.names:
            ground.stack.restart(name)


@dataclass(frozen=True, kw_only=True)
class Drain:
    """SIGTERM: the service drains and ends, and is started again."""

    name: str
    seconds: float = 0.0
    shuts: bool = False

    @property
    def kind(self) -> str:
        return f"SIGTERM {self.name}"

    def inject(self, ground: Ground) -> None:
        process = ground.stack.process(self.name)
        before = process.pid
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_SECONDS
        while process.pid == before and time.monotonic() < deadline:
            time.sleep(0.05)
        ground.note_end(self.name)

    def heal(self, ground: Ground) -> None:
        """Nothing: it is being started again."""


@dataclass(frozen=True, kw_only=True)
class Pause:
    """SIGSTOP, later SIGCONT: a stalled machine."""

    name: str
    seconds: float
    shuts: bool = False

    @property
    def kind(self) -> str:
        return f"SIGSTOP {self.name}"

    def inject(self, ground: Ground) -> None:
        ground.stack.kill(self.name, signal.SIGSTOP)

    def heal(self, ground: Ground) -> None:
        ground.stack.kill(self.name, signal.SIGCONT)


@dataclass(frozen=True, kw_only=True)
class SlowDatabase:
    """Every commit waits 100 ms before its fsync (commit_delay), one group of them at a time."""

    seconds: float
    shuts: bool = False
    kind: str = "slow disk postgres"

    def inject(self, ground: Ground) -> None:
        slow = "ALTER SYSTEM SET commit_delay = 100000; ALTER SYSTEM SET commit_siblings = 0; SELECT pg_reload_conf();"
        run_sql(ground.stack.database_dsn, slow)

    def heal(self, ground: Ground) -> None:
        fast = "ALTER SYSTEM RESET commit_delay; ALTER SYSTEM RESET commit_siblings; SELECT pg_reload_conf();"
        run_sql(ground.stack.database_dsn, fast)


class SlowBroker:
    """The broker stands still three quarters of the time (SIGSTOP in turns), as one whose writes wait for a disk."""

    kind = "slow disk kafka"
    shuts = False

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"SlowBroker(seconds={self.seconds})"

    def inject(self, ground: Ground) -> None:
        self._over.clear()
        self._thread = threading.Thread(target=self._stall, args=(ground,), daemon=True)
        self._thread.start()

    def heal(self, ground: Ground) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _stall(self, ground: Ground) -> None:
        while not self._over.wait(GO_SECONDS):
            ground.stack.kill("kafka", signal.SIGSTOP)
            self._over.wait(STALL_SECONDS)
            ground.stack.kill("kafka", signal.SIGCONT)


@dataclass(frozen=True, kw_only=True)
class FullDisk:
    """Not a byte is left on the disk of broker or database; space comes back with heal()."""

    name: str
    seconds: float
    shuts: bool = False

    @property
    def kind(self) -> str:
        return f"full disk {self.name}"

    def inject(self, ground: Ground) -> None:
        process = ground.stack.process(self.name)
        ground.disks[self.name].fill([process.pid] if process.pid else [])
        if self.name == "postgres":
            self._need_space(ground)

    def heal(self, ground: Ground) -> None:
        ground.disks[self.name].free()

    def _need_space(self, ground: Ground) -> None:
        """Segments of the log that are there already would last for minutes; so they are used up."""
        try:
            run_sql(ground.stack.database_dsn, ONE_WAL_SEGMENT * WAL_SWITCHES)
        except SqlFailed:
            return


@dataclass(frozen=True, kw_only=True)
class Skew:
    """The clock of one service jumps (it is started with another one), and later is right again."""

    name: str
    offset_seconds: float
    seconds: float
    shuts: bool = True

    @property
    def kind(self) -> str:
        return f"clock skew {self.name}"

    def inject(self, ground: Ground) -> None:
        clock = ground.stack.clock
        skewed = replace(clock, origin_seconds=clock.origin_seconds - self.offset_seconds)
        ground.stack.restart_with_clock(self.name, skewed)
        ground.note_end(self.name)

    def heal(self, ground: Ground) -> None:
        ground.stack.restart_with_clock(self.name, ground.stack.clock)
        ground.note_end(self.name)


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The gate cannot be reached by its clients: connections break, or nothing passes through those that stand."""

    black_hole: bool
    seconds: float
    shuts: bool = True

    @property
    def kind(self) -> str:
        return "partitioned gate, black hole" if self.black_hole else "partitioned gate, refused"

    def inject(self, ground: Ground) -> None:
        ground.stack.kill(GATE_PROXY, signal.SIGSTOP if self.black_hole else signal.SIGKILL)

    def heal(self, ground: Ground) -> None:
        if self.black_hole:
            ground.stack.kill(GATE_PROXY, signal.SIGCONT)
        else:
            ground.stack.restart(GATE_PROXY)


@dataclass(frozen=True, kw_only=True)
class Rebalances:
    """Replicas of one service die and start again in quick succession, some before their group has settled."""

    service: str
    order: tuple[str, ...]
    """Processes in the order of their deaths."""
    between_seconds: float
    shuts: bool = False

    @property
    def kind(self) -> str:
        return f"rebalance storm {self.service}"

    @property
    def seconds(self) -> float:
        return 0.0

    def inject(self, ground: Ground) -> None:
        for name in self.order:
            ground.stack.kill(name)
            ground.note_end(name)
            time.sleep(self.between_seconds)
            ground.stack.restart(name)
            time.sleep(self.between_seconds)

    def heal(self, ground: Ground) -> None:
        """Nothing: the last one is being started again."""
