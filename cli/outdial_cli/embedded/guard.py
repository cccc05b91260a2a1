"""Ends the process groups it was told of once its standard input closes: when the parent is gone, however it went.

A process of its own (standard library only, started by process.py), because PR_SET_PDEATHSIG fires when the *thread*
that forked ends, is lost on a change of user, and does not reach grandchildren.
Lines: `+ PGID SIGNAL` registers a group and its polite signal, `- PGID` forgets it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

GRACE_SECONDS = 5.0


def main() -> None:
    """Reads registrations until the parent is gone, then ends what is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_groups(registered(sys.stdin))


def registered(lines: Iterable[str]) -> dict[int, int]:
    """pgid -> polite signal of every group still registered after the last line."""
    groups: dict[int, int] = {}
    for line in lines:
        sign, pgid, *polite = line.split()
        if sign == "+":
            groups[int(pgid)] = int(polite[0])
        else:
            groups.pop(int(pgid), None)
    return groups


def end_groups(groups: dict[int, int], grace_seconds: float = GRACE_SECONDS) -> None:
    """Polite signals to all, newest first; SIGKILL to what is left of a group when its leader is gone or time is up."""
    for pgid, polite in reversed(groups.items()):
        _signal(pgid, polite)
    deadline = time.monotonic() + grace_seconds
    while any(map(_runs, groups)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pgid in groups:
        _signal(pgid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """A zombie does not: its parent may be waiting for us before it reaps."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _signal(pgid: int, number: int) -> None:
    try:
        os.killpg(pgid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main()
