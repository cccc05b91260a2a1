"""CPU time of process groups and of the whole machine, from /proc."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
PARENT, USER_TIME, CHILDREN_END = 1, 11, 15
"""Positions in /proc/PID/stat after the command's closing parenthesis: utime, stime, cutime, cstime are 11 to 14."""


@dataclass(frozen=True, kw_only=True)
class CpuSample:
    """CPU used since each process began, in ms."""

    at: float
    """Real time, seconds since 1970."""
    by_name: Mapping[str, float]
    machine_busy: float
    """Of every process on the machine."""

    def since(self, earlier: CpuSample) -> dict[str, float]:
        """Name -> CPU-ms used between the two samples."""
        return {name: used - earlier.by_name.get(name, 0.0) for name, used in self.by_name.items()}


def sample(leaders: Mapping[str, int]) -> CpuSample:
    """CPU of each named process with all its descendants, those it has reaped included.

    Args:
        leaders: name -> pid.
    """
    processes = {pid: (parent, used) for pid, parent, used in _processes()}
    names = {pid: name for name, pid in leaders.items()}
    by_name = dict.fromkeys(leaders, 0.0)
    for pid, (_, used) in processes.items():
        above = pid
        while above not in names and above in processes:
            above = processes[above][0]
        if above in names:
            by_name[names[above]] += used
    return CpuSample(at=time.time(), by_name=by_name, machine_busy=_machine_busy())


def leaders_of(pids_dir: Path) -> dict[str, int]:
    """Name -> pid of what runs, from a stack's pid files."""
    return {path.stem: int(json.loads(path.read_text())["pid"]) for path in sorted(pids_dir.glob("*.pid"))}


def _processes() -> Iterator[tuple[int, int, float]]:
    """(pid, parent, CPU-ms)."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it ended since the listing
            continue
        used = sum(map(int, fields[USER_TIME:CHILDREN_END])) * TICK_MS
        yield int(path.parent.name), int(fields[PARENT]), used


def _machine_busy() -> float:
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) * TICK_MS
