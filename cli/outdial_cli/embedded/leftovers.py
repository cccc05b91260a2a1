"""One run at a time per data folder, and the end of what an earlier run left behind.

The folder's lock is held by flock for the life of the owner and dropped by the kernel with the process: if it can be
taken while pid files are there, the earlier run died. A pid file names a process by pid *and* start time
(/proc/PID/stat, field 22) and command line, so that a stranger who got the number later is never touched. Linux only.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import IO

LOCK_FILE = "lock"
END_TIMEOUT_SECONDS = 10.0


class DataDirInUse(Exception):
    """Another live run owns the data folder."""


class DirectoryLock:
    """Exclusive ownership of a data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_FILE
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises DataDirInUse, naming the owner's pid."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            file.close()
            raise DataDirInUse(
                f"{self._path.parent} is in use by process {owner}; stop it or use another folder"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Does nothing when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def write(pid_file: Path, pid: int) -> None:
    """Names a running process of this run."""
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(json.dumps({"pid": pid, "start_ticks": _start_ticks(pid), "command": _command(pid)}))


def end_leftovers(pids_dir: Path) -> list[str]:
    """Ends every process the pid files name and that is still the same one; the names of those it ended."""
    ended = []
    for path in sorted(pids_dir.glob("*.pid")):
        if _end(path):
            ended.append(path.stem)
        path.unlink(missing_ok=True)
    return ended


def _end(pid_file: Path) -> bool:
    named = json.loads(pid_file.read_text() or "{}")
    pid = named.get("pid")
    if pid is None or not _is_same(named):
        return False
    deadline = time.monotonic() + END_TIMEOUT_SECONDS
    # SIGINT is PostgreSQL's fast shutdown; to the JVM and to Python programs it means the end as well.
    number = signal.SIGINT
    while _is_same(named):
        if time.monotonic() > deadline - END_TIMEOUT_SECONDS / 2:
            number = signal.SIGKILL
        if time.monotonic() > deadline:
            raise DataDirInUse(f"{pid_file.stem} of an earlier run (process {pid}) does not end")
        _kill(pid, number)
        time.sleep(0.1)
    return True


def _is_same(named: dict[str, object]) -> bool:
    pid = int(str(named["pid"]))
    ticks = _start_ticks(pid)
    return ticks is not None and ticks == named["start_ticks"] and _command(pid) == named["command"]


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _start_ticks(pid: int) -> int | None:
    """Clock ticks between boot and the start of the process; None when there is none or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
