"""`python -m bench [hop|attempts|all] [--json]`: progress on stderr, tables or JSON on stdout."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from bench import attempts, hop
from bench.machine import this_machine
from bench.tables import show

WORDS = ("hop", "attempts", "all")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=WORDS, default="all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    chosen = parser.parse_args()
    machine = this_machine()
    hops = hop.run(_say) if chosen.what in ("hop", "all") else None
    runs = attempts.run(_say) if chosen.what in ("attempts", "all") else None
    if chosen.json:
        found: dict[str, Any] = {"machine": asdict(machine)}
        found |= {"hop": asdict(hops)} if hops else {}
        found |= {"attempts": asdict(runs)} if runs else {}
        print(json.dumps(found, indent=2))
        return
    show(machine, hops, runs)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
