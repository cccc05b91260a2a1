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
from typing import NoReturn

from outdial_cli.embedded.process import Child, ChildFailed

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
    """How often a child that ended by itself is started again."""

    most: int = 5
    """Restarts per child and run; one more end is left alone."""
    delay_seconds: float = 0.5


class Supervisor:
    """Owns some children. `on_event` is called from several threads, one call at a time.

    `expect_down(name)` ... `expect_up(name)` around a deliberate kill keep the watcher from interfering.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        on_event: Callable[[ChildEvent], None] | None = None,
        restart: RestartPolicy | None = None,
    ) -> None:
        self.children = {child.name: child for child in children}
        self._on_event = on_event
        self._event_lock = threading.Lock()
        self._restart = restart
        self._restarts: dict[str, int] = {}
        self._watched: set[str] = set()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

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

    def stop(self) -> None:
        """Stops all in reverse order of their naming; afterwards none of them runs."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        self._watched.clear()
        for child in reversed(self.children.values()):
            if child.running:
                started = time.monotonic()
                code = child.stop()
                self._tell(child.name, ChildState.STOPPED, time.monotonic() - started, code)

    def expect_down(self, name: str) -> Child:
        """The watcher leaves this child alone from now on; returns it, to be killed or stopped."""
        self._watched.discard(name)
        return self.children[name]

    def expect_up(self, name: str) -> None:
        """The watcher looks after this child (again)."""
        self._watched.add(name)

    def _start_one(self, child: Child) -> None:
        self._tell(child.name, ChildState.STARTING)
        started = time.monotonic()
        try:
            child.start()
        except ChildFailed as error:
            self._tell(child.name, ChildState.FAILED, time.monotonic() - started, child.exit_code, str(error))
            raise
        self._watched.add(child.name)
        self._tell(child.name, ChildState.READY, time.monotonic() - started)

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_INTERVAL_SECONDS):
            for name in list(self._watched):
                child = self.children[name]
                if not child.running and name in self._watched:
                    self._exited(child)

    def _exited(self, child: Child) -> None:
        self._watched.discard(child.name)
        self._tell(child.name, ChildState.EXITED, exit_code=child.exit_code, detail=child.log_tail())
        done = self._restarts.get(child.name, 0)
        if self._restart is None or done >= self._restart.most or self._stopping.wait(self._restart.delay_seconds):
            return
        self._restarts[child.name] = done + 1
        try:
            self._start_one(child)
        except ChildFailed:
            # Reported as FAILED; the next round counts it as one more end.
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
