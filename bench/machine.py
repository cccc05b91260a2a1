"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Named beside every result."""

    cores: int
    cpu_model: str
    memory_gib: float
    kernel: str
    measured_on: str
    """UTC date."""


def this_machine() -> Machine:
    """Reads /proc/cpuinfo and /proc/meminfo."""
    return Machine(
        cores=os.cpu_count() or 0,
        cpu_model=_field("/proc/cpuinfo", "model name"),
        memory_gib=round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        kernel=platform.release(),
        measured_on=datetime.now(UTC).date().isoformat(),
    )


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
