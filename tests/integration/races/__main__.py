"""`python -m tests.integration.races --seed 1 --size full`: the gate's races under kills, counted and judged.

Starts Kafka, PostgreSQL and four replicas of the gate in a folder of its own. Exit code 1 when an invariant broke.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from outdial_cli.embedded import jars
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.postgres import PostgresNode
from outdial_cli.embedded.supervisor import sigterm_as_exit
from tests.integration.races.ground import ROOT, Ground
from tests.integration.races.judge import judge
from tests.integration.races.run import FULL, SMALL, run
from tests.integration.stranger import broken

SIZES = {"small": SMALL, "full": FULL}
REPLICAS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one; exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.races", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of chance and of the kills")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--replicas", type=int, default=REPLICAS)
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    said = parser.parse_args(arguments)
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # it tells of every fork
    began = time.monotonic()
    cache = ROOT / ".outdial" / "cache"
    # Not under .outdial: its paths must be passable for the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="outdial-races-"))
    kafka = KafkaNode(folder / "kafka", cache, jars.fetch(cache / "jars"), record_aot=False)
    postgres = PostgresNode(folder / "postgres")
    with sigterm_as_exit():
        try:
            kafka.start()
            postgres.start()
            ground = Ground(folder, postgres, kafka.bootstrap, replicas=said.replicas)
            with ground.running():
                seen = run(ground, SIZES[said.size], said.seed, lambda text: _say(began, text))
        finally:
            postgres.stop()
            kafka.stop()
    counts = judge(seen)
    failed = broken(counts)
    print(json.dumps(counts, indent=2) if said.json else table(counts))
    _say(began, f"seed {said.seed}, {said.size}: {'BROKEN ' + ', '.join(failed) if failed else 'clean'}")
    if failed:
        _say(began, f"logs are kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def table(counts: dict[str, object]) -> str:
    """Counts, then one line per invariant with how often it broke."""
    rows = ["| what | count |", "|---|---|"]
    for what, value in counts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{n} {name}" for name, n in value.items()) or "none"
        rows.append(f"| {what.replace('_', ' ')} | {len(value) if isinstance(value, list) else value} |")
    return "\n".join(
        rows + [f"{what}: {value[:5]}" for what, value in counts.items() if isinstance(value, list) and value]
    )


def _say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
