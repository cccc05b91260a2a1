"""Recovery times of storms (tests/integration/storm): from lines of faults to a table per fault."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def rows_of(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Every fault of the runs' faults.jsonl files."""
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Markdown: per fault n, live calls (fewest), median and maximum of both recovery times in seconds."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_kind[_label(row)].append(row)
    head = ["| fault | n | fewest live calls | ready: median | max | first new INVITE: median | max |"]
    return "\n".join(
        [*head, "|---|---|---|---|---|---|---|", *(_line(kind, by_kind[kind]) for kind in sorted(by_kind))]
    )


def _label(row: dict[str, Any]) -> str:
    """Replicas of a service are one fault: which of them was hit tells nothing."""
    kind = re.sub(r"-\d$", "", row["kind"])
    return f"{kind}, {row['replicas']} of each service" if row.get("replicas", 1) > 1 else kind


def _line(kind: str, rows: list[dict[str, Any]]) -> str:
    fewest = min(row["live_calls"] for row in rows)
    ready = _figures([row["ready_seconds"] for row in rows])
    return f"| {kind} | {len(rows)} | {fewest} | {ready} | {_figures([row['invite_seconds'] for row in rows])} |"


def _figures(seconds: list[float | None]) -> str:
    known = [one for one in seconds if one is not None]
    median = f"{statistics.median(known):.1f}" if known else "-"
    return (
        f"{median} | {max(known):.1f}"
        if len(known) == len(seconds)
        else f"{median} | never ({len(seconds) - len(known)})"
    )
