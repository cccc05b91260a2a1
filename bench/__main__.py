"""`python -m bench [WORD] [--json]`: progress on stderr, results on stdout; `all`: hop, attempts, windows, decisions.

`phones` and `ledger` are not in `all`: minutes and 3 GiB of memory the one (it prints JSON), 750 MiB of disk the other.
`recovery` measures nothing: it makes the table of what `python -m tests.integration.storm` left.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import attempts, decisions, hop, ledger, phones, recovery, windows
from bench.machine import this_machine
from bench.tables import show

WORDS = ("hop", "attempts", "windows", "decisions", "all", "phones", "ledger", "recovery")
STORMS = Path(__file__).resolve().parents[1] / ".outdial" / "storms" / "recovery.jsonl"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=WORDS, default="all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--storms", type=Path, default=STORMS, help="recovery.jsonl of the storms (default: the last)")
    chosen = parser.parse_args()
    if chosen.what == "recovery":
        rows = recovery.rows_of([chosen.storms])
        print(json.dumps(rows, indent=2) if chosen.json else recovery.table(rows))
        return
    if chosen.what == "phones":
        print(json.dumps(asdict(phones.run(_say)), indent=2))
        return
    if chosen.what == "ledger":
        book = ledger.run(_say)
        print(json.dumps(asdict(book), indent=2) if chosen.json else ledger.table(book))
        return
    machine = this_machine()
    hops = hop.run(_say) if chosen.what in ("hop", "all") else None
    runs = attempts.run(_say) if chosen.what in ("attempts", "all") else None
    live = windows.run(_say) if chosen.what in ("windows", "all") else None
    gate = decisions.run(_say) if chosen.what in ("decisions", "all") else None
    if chosen.json:
        found: dict[str, Any] = {"machine": asdict(machine)}
        found |= {"hop": asdict(hops)} if hops else {}
        found |= {"attempts": asdict(runs)} if runs else {}
        found |= {"windows": {name: asdict(figures) for name, figures in live.items()}} if live else {}
        found |= {"decisions": asdict(gate)} if gate else {}
        print(json.dumps(found, indent=2))
        return
    show(machine, hops, runs, live, gate)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
