"""Starts children together, watches them, and stops them in reverse order."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType, TracebackType
from typing import NoReturn, Protocol

from outdial_cli.embedded.process import ChildFailed

WATCH_INTERVAL_SECONDS = 0.1


class ChildState(StrEnum):
    """What an event says of a child."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    EXITED = "exited"
    """Ended by itself, with nobody having asked for it."""
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class ChildEvent:
    """A child's change of state."""

    name: str
    state: ChildState
    seconds: float = 0.0
    """Since its start (READY, FAILED) or since the stop was asked for (STOPPED)."""
    exit_code: int | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """How a child that ended by itself is started again, each time after a longer wait, as Kubernetes does."""

    most: int | None = 5
    """Restarts per child in a row; one more end is left alone. None has no limit."""
    delay_seconds: float = 0.5
    """Before the first restart; doubled for each further one in a row."""
    longest_delay_seconds: float = 8.0
    forget_after_seconds: float = 20.0
    """A child that has been ready for so long begins a new row."""


class Supervised(Protocol):
    """What can be watched: a Child, or a node that has one."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def running(self) -> bool: ...
    @property
    def exit_code(self) -> int | None: ...
    def start(self) -> None: ...
    def stop(self) -> int | None: ...
    def kill(self) -> int | None: ...
    def send_signal(self, number: signal.Signals) -> None: ...
    def log_tail(self) -> str: ...


@dataclass(kw_only=True)
class _Row:
    """Restarts of one child in a row."""

    restarts: int = 0
    ready_at: float = 0.0


class Supervisor:
    """Owns some children. `on_event` is called from several threads, one call at a time.

    `expect_down(name)` ... `expect_up(name)` around a deliberate kill keep the watcher from interfering; after
    `expect_up` a child that is down is started again under the policy.
    """

    def __init__(
        self,
        children: Sequence[Supervised],
        *,
        on_event: Callable[[ChildEvent], None] | None = None,
        restart: RestartPolicy | None = None,
    ) -> None:
        self.children = {child.name: child for child in children}
        self._on_event = on_event
        self._event_lock = threading.Lock()
        self._restart = restart
        self._rows = {name: _Row() for name in self.children}
        self._watched: set[str] = set()
        self._held: set[str] = set()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._starts: list[threading.Thread] = []

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts all at once. Raises the first ChildFailed, after stopping those that did start."""
        self._stopping.clear()
        try:
            with ThreadPoolExecutor(max_workers=max(1, len(self.children))) as pool:
                for done in [pool.submit(self._start_one, child) for child in self.children.values()]:
                    done.result()
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()

    def adopt(self) -> None:
        """Watches children that somebody else started."""
        self._stopping.clear()
        self._watched |= self.children.keys()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()

    def let_go(self) -> None:
        """Watches no longer; children run on. A start that is under way is waited for."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        for start in self._starts:
            start.join()
        self._starts.clear()
        self._watched.clear()

    def stop(self) -> None:
        """Stops all in reverse order of their naming; afterwards none of them runs."""
        self.let_go()
        for child in reversed(self.children.values()):
            if child.running:
                started = time.monotonic()
                code = child.stop()
                self._tell(child.name, ChildState.STOPPED, time.monotonic() - started, code)

    def expect_down(self, name: str) -> Supervised:
        """The watcher leaves this child alone from now on; returns it, to be killed or stopped."""
        self._held.add(name)
        self._watched.discard(name)
        return self.children[name]

    def expect_up(self, name: str) -> None:
        """The watcher looks after this child (again)."""
        self._held.discard(name)
        self._rows[name] = _Row()
        self._watched.add(name)

    def _start_one(self, child: Supervised) -> None:
        self._tell(child.name, ChildState.STARTING)
        started = time.monotonic()
        try:
            child.start()
        except ChildFailed as error:
            self._tell(child.name, ChildState.FAILED, time.monotonic() - started, child.exit_code, str(error))
            raise
        self._rows[child.name].ready_at = time.monotonic()
        self._watched.add(child.name)
        self._tell(child.name, ChildState.READY, time.monotonic() - started)

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_INTERVAL_SECONDS):
            for name in list(self._watched):
                child = self.children[name]
                if not child.running and name in self._watched:
                    self._exited(child)

    def _exited(self, child: Supervised) -> None:
        """Tells it, and starts it again in a thread of its own: others may end meanwhile."""
        self._watched.discard(child.name)
        self._tell(child.name, ChildState.EXITED, exit_code=child.exit_code, detail=child.log_tail())
        delay = self._delay(self._rows[child.name])
        if delay is not None:
            self._starts = [start for start in self._starts if start.is_alive()]
            self._starts.append(threading.Thread(target=self._again, args=(child, delay), daemon=True))
            self._starts[-1].start()

    def _delay(self, row: _Row) -> float | None:
        """Seconds until this restart; None when there is none."""
        policy = self._restart
        if policy is not None and row.ready_at and time.monotonic() - row.ready_at > policy.forget_after_seconds:
            row.restarts = 0
        if policy is None or (policy.most is not None and row.restarts >= policy.most):
            return None
        row.restarts += 1
        return float(min(policy.delay_seconds * 2 ** (row.restarts - 1), policy.longest_delay_seconds))

    def _again(self, child: Supervised, delay_seconds: float) -> None:
        if self._stopping.wait(delay_seconds) or child.name in self._held:
            return
        try:
            self._start_one(child)
        except ChildFailed:
            # Reported as FAILED; the next round counts it as one more end.
            if child.name not in self._held:
                self._watched.add(child.name)

    def _tell(
        self, name: str, state: ChildState, seconds: float = 0.0, exit_code: int | None = None, detail: str = ""
    ) -> None:
        if self._on_event is not None:
            with self._event_lock:
                self._on_event(ChildEvent(name=name, state=state, seconds=seconds, exit_code=exit_code, detail=detail))


@contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Within it SIGTERM raises SystemExit(143) in the main thread, so that `finally` clauses stop what runs.

    SIGINT needs nothing: it is KeyboardInterrupt already. Main thread only.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
