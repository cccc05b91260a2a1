"""Child processes that end with their parent: start, readiness, stop, kill, restart.

Every child leads its own session, so that Ctrl-C reaches the parent only and a signal to the group reaches the child's
own children. A guard process (guard.py) ends the groups when the parent vanishes without a word.
"""

from __future__ import annotations

import atexit
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from outdial_cli.embedded import guard, leftovers

PROBE_INTERVAL_SECONDS = 0.05
LOG_TAIL_BYTES = 2000
PORTS = range(22000, 32000)

Probe = Callable[[], bool]


class ChildFailed(Exception):
    """A child ended by itself or was not ready in time; names it and shows the end of its log."""


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """How to run one child."""

    name: str
    command: tuple[str, ...]
    log_path: Path
    """Standard output and error are appended here."""
    env: Mapping[str, str] | None = None
    """The whole environment; None inherits the parent's."""
    cwd: Path | None = None
    ready: Probe | str | None = None
    """A callable, or a URL that answers 200; None is ready at once."""
    ready_timeout_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_seconds: float = 10.0
    pid_file: Path | None = None
    """Written while it runs, for a later run to find what this one may leave behind (leftovers.py)."""
    uid: int | None = None
    gid: int | None = None


class Child:
    """One child process; every method may be called from any thread, one at a time per child."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.exit_code: int | None = None
        """Of the last run; negative for a signal; None while it runs or before it ran."""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """For messages and events."""
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """Of the running process and its group."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended; reaps it when it has."""
        with self._lock:
            if self._process is None:
                return False
            code = self._process.poll()
            if code is not None:
                self._ended(code)
            return code is None

    def start(self) -> None:
        """Spawns it and waits until it is ready. Raises ChildFailed; then nothing of it is left running."""
        self.spawn()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def spawn(self) -> None:
        """Spawns it without waiting. Raises RuntimeError when it runs already, ChildFailed when it cannot be run."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running (pid {self.pid})")
        spec = self.spec
        spec.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, spec.log_path.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    spec.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=spec.env,
                    cwd=spec.cwd,
                    start_new_session=True,
                    user=spec.uid,
                    group=spec.gid,
                    extra_groups=None if spec.uid is None else [],
                )
            except OSError as error:
                raise ChildFailed(f"{self.name} cannot be run: {error}") from error
            self.exit_code = None
            the_guard().add(self._process.pid, spec.stop_signal)
            if spec.pid_file is not None:
                leftovers.write(spec.pid_file, self._process.pid)

    def wait_ready(self) -> None:
        """Polls the probe. Raises ChildFailed when the child ends first or the time runs out."""
        probe = self._probe()
        deadline = time.monotonic() + self.spec.ready_timeout_seconds
        while not probe():
            if not self.running:
                raise ChildFailed(f"{self.name} ended with {self.exit_code} before it was ready{self.log_tail()}")
            if time.monotonic() > deadline:
                seconds = self.spec.ready_timeout_seconds
                raise ChildFailed(f"{self.name} was not ready within {seconds:g} s{self.log_tail()}")
            time.sleep(PROBE_INTERVAL_SECONDS)

    def stop(self, timeout_seconds: float | None = None) -> int | None:
        """Polite signal to the group, SIGKILL after the time-out; the exit code. Nothing to do when it is down."""
        return self._signal_and_reap(
            self.spec.stop_signal, self.spec.stop_timeout_seconds if timeout_seconds is None else timeout_seconds
        )

    def kill(self) -> int | None:
        """SIGKILL to the group, and waits for the end."""
        return self._signal_and_reap(signal.SIGKILL, 10.0)

    def send_signal(self, number: signal.Signals) -> None:
        """To the process alone, without waiting."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def restart(self) -> None:
        """Stops it politely and starts it again. Raises ChildFailed."""
        self.stop()
        self.start()

    def log_tail(self) -> str:
        """End of the log, for an error's text."""
        if not self.spec.log_path.exists():
            return ""
        tail = self.spec.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"; end of {self.spec.log_path}:\n{tail}" if tail else f" ({self.spec.log_path} is empty)"

    def _probe(self) -> Probe:
        ready = self.spec.ready
        if ready is None:
            return lambda: True
        return functools.partial(answers, ready) if isinstance(ready, str) else ready

    def _signal_and_reap(self, number: signal.Signals, timeout_seconds: float) -> int | None:
        with self._lock:
            process = self._process
            if process is None:
                return self.exit_code
            _signal_group(process.pid, number)
            try:
                code = process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                _signal_group(process.pid, signal.SIGKILL)
                code = process.wait()
            self._ended(code)
            return code

    def _ended(self, code: int) -> None:
        assert self._process is not None
        # What the child left behind in its group has lost its parent.
        _signal_group(self._process.pid, signal.SIGKILL)
        the_guard().remove(self._process.pid)
        if self.spec.pid_file is not None:
            self.spec.pid_file.unlink(missing_ok=True)
        self._process, self.exit_code = None, code


def answers(url: str, timeout_seconds: float = 1.0) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts TCP connections there."""
    try:
        socket.create_connection((host, port), 0.5).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """TCP ports of 127.0.0.1 nobody has now; all are held until the last is found, so that none comes twice.

    They lie below the kernel's range for outgoing connections, so that none of those takes one during a restart.
    """
    held: list[socket.socket] = []
    try:
        for port in random.sample(PORTS, len(PORTS)):
            if len(held) == count:
                break
            one = socket.socket()
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                one.close()
            else:
                held.append(one)
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


class Guard:
    """The parent's end of guard.py."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Of the guard's process."""
        return self._process.pid

    def add(self, pgid: int, polite: signal.Signals) -> None:
        """The group ends with this process from now on."""
        self._write(f"+ {pgid} {int(polite)}\n")

    def remove(self, pgid: int) -> None:
        """The group has ended; its id may be another's soon."""
        self._write(f"- {pgid}\n")

    def close(self) -> None:
        """Ends whatever is still registered and waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(guard.GRACE_SECONDS + 5)

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


@functools.cache
def the_guard() -> Guard:
    """The guard of this process, started with its first child."""
    started = Guard()
    atexit.register(started.close)
    return started


def _signal_group(pgid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pgid, number)
    except ProcessLookupError:
        return
