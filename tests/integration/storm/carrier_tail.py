"""Follows carrier.jsonl while it grows: which calls are live, when the last new INVITE came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OVER = frozenset({"call_over", "hung_up", "bye_received", "cancelled"})


class CarrierTail:
    """The carrier's view from `start` (a position in the file) on; call `poll` before each look."""

    def __init__(self, path: Path, start: int) -> None:
        self._path = path
        self._position = start
        self._live: dict[str, float] = {}
        self.invites: list[float] = []
        """Unix seconds of every initial INVITE."""

    def poll(self) -> None:
        """Reads what was written meanwhile; whole lines only."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                if b'"event"' in line:
                    self._see(json.loads(line))

    def live(self, invited_after: float = 0.0) -> int:
        """Calls routed, ringing or up, without those INVITEd before `invited_after`, whose caller died since."""
        self.poll()
        return sum(at > invited_after for at in self._live.values())

    def first_invite_after(self, at: float) -> float | None:
        """Unix seconds of the first initial INVITE after `at`."""
        self.poll()
        return next((t for t in self.invites if t > at), None)

    def _see(self, line: dict[str, Any]) -> None:
        if line["event"] == "initial_invite":
            self.invites.append(line["t"])
            self._live[line["call_id"]] = line["t"]
        elif line["event"] in OVER:
            self._live.pop(line["call_id"], None)
