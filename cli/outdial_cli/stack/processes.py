"""Other processes by pid: for `outdial down`, which ends a stack that another terminal started."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def send(pid: int, number: signal.Signals) -> None:
    """Signals a process. Raises ValueError when there is none of that number."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise ValueError(f"process {pid} is gone already") from None


def ended(pid: int, timeout_seconds: float) -> bool:
    """Waits until the process is gone or its parent's to bury; False when it still runs."""
    deadline = time.monotonic() + timeout_seconds
    while _runs(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
