"""`python -m tests.integration.storm --runs 20 --seed 1 --seconds 180`: seeded storms, judged at the carrier.

Every fourth seed has three replicas of each service. Runs of one kind share a stack for a few runs, each with a
campaign, a team and people of its own. Exit code 1 when an invariant broke. Files of failing runs are kept under --out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.recovery import rows_of, table
from outdial_cli.embedded.process import ChildFailed
from outdial_cli.embedded.supervisor import sigterm_as_exit
from outdial_cli.stack.environment import RunClock
from outdial_cli.stack.layout import SERVICES
from outdial_cli.stack.stack import Stack, StackOptions
from tests.integration.storm.disk import SmallDisk
from tests.integration.storm.run import StormRun, numbers_of, run
from tests.integration.storm.schedule import schedule
from tests.integration.stranger import broken

ROOT = Path(__file__).resolve().parents[3]
REPLICATED_EVERY = 4
SHARED_RUNS = 4
INFRA = ("kafka", "postgres")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says."""

    seeds: range
    seconds: float
    replicas: int | None
    """None: every fourth seed has three."""
    out: Path
    keep: bool

    def replicas_of(self, seed: int) -> int:
        """Replicas of each service in this seed's run."""
        return self.replicas or (3 if seed % REPLICATED_EVERY == 0 else 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs them all; exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.storm", description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the others follow")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--replicas", type=int, choices=(1, 3), help="of each service (default: 3 every fourth seed)")
    parser.add_argument("--out", type=Path, default=ROOT / ".outdial" / "storms")
    parser.add_argument("--keep", action="store_true", help="keep the files of good runs too")
    parser.add_argument("--show", action="store_true", help="print the schedules and do nothing")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    said = parser.parse_args(arguments)
    seeds = range(said.seed, said.seed + said.runs)
    options = Options(
        seeds=seeds, seconds=said.seconds, replicas=said.replicas, out=said.out.absolute(), keep=said.keep
    )
    if said.show:
        for seed in options.seeds:
            _show(seed, options)
        return 0
    with sigterm_as_exit():
        results = _all(options)
    _report(results, options, as_json=said.json)
    return 1 if any(result["broken"] for result in results) or len(results) < said.runs else 0


def _all(options: Options) -> list[dict[str, Any]]:
    options.out.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    for replicas in (1, 3):
        left = [seed for seed in options.seeds if options.replicas_of(seed) == replicas]
        while left:
            done = _group(left[:SHARED_RUNS], replicas, options)
            found += done
            left = left[len(done) :]
    return found


def _group(seeds: list[int], replicas: int, options: Options) -> list[dict[str, Any]]:
    """Runs on one stack, up to and including the first that breaks something."""
    found: list[dict[str, Any]] = []
    # Not under `out`: a stack's paths must be passable for the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="outdial-storm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        disks = {node: SmallDisk(folder / node) for node in INFRA}
        stack = _stack(folder, replicas)
        try:
            for disk in disks.values():
                disk.mount()
            try:
                stack.start()
            except ChildFailed as failure:
                _say(f"the stack did not start: {failure}")
                return [{"seed": seeds[0], "replicas": replicas, "broken": ["the stack did not start"], "counts": {}}]
            for seed in seeds:
                found.append(_run(stack, seed, replicas, disks, options))
                if found[-1]["broken"]:
                    return found
        finally:
            stack.stop()
            for disk in disks.values():
                disk.unmount()
    return found


def _stack(folder: Path, replicas: int) -> Stack:
    options = StackOptions(
        data_dir=folder,
        cache_dir=ROOT / ".outdial" / "cache",
        clock=RunClock(start="2026-11-17T15:00:00Z", origin_seconds=time.monotonic()),
        prompts_dir=ROOT / "examples" / "prompts",
        lists_dir=ROOT / "examples" / "lists",
        fresh=False,  # the folder is new, and small disks may be mounted in it
        replicas=dict.fromkeys(SERVICES, replicas),
        gate_proxy=True,
    )
    return Stack(options, lambda text: _say(f"stack: {text}"))


def _run(stack: Stack, seed: int, replicas: int, disks: dict[str, SmallDisk], options: Options) -> dict[str, Any]:
    _show(seed, options)
    folder = options.out / f"seed-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    plan = StormRun(
        campaign_id=f"storm-{seed}",
        seed=seed,
        seconds=options.seconds,
        planned=schedule(seed, options.seconds, replicas),
        numbers=numbers_of(seed),
        folder=folder,
        consoles=replicas,
        disks=disks,
        say=_say,
    )
    started = time.monotonic()
    try:
        counts = run(stack, plan)
        failed = broken(counts)
    except Exception as error:
        # The storm's own failure ends this stack and is reported as the run's; the next seeds get a new one.
        counts, failed = {}, [f"run failed: {type(error).__name__}: {error}"]
        _say(traceback.format_exc())
    seconds = round(time.monotonic() - started, 1)
    result = {"seed": seed, "replicas": replicas, "seconds": seconds, "broken": failed, "counts": counts}
    (folder / "result.json").write_text(json.dumps(result, indent=2))
    _say(f"seed {seed}: {'BROKEN ' + ', '.join(failed) if failed else 'clean'} after {seconds:.0f} s")
    if not failed and not options.keep:
        for path in folder.iterdir():
            if path.name not in ("faults.jsonl", "run.json", "result.json"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return result


def _show(seed: int, options: Options) -> None:
    replicas = options.replicas_of(seed)
    _say(f"seed {seed}, {options.seconds:.0f} s, {replicas} of each service")
    for one in schedule(seed, options.seconds, replicas):
        _say(f"  {one.at:6.1f} s  {one.fault!r}")


def _report(results: list[dict[str, Any]], options: Options, *, as_json: bool) -> None:
    paths = [options.out / f"seed-{result['seed']}" / "faults.jsonl" for result in results]
    rows = rows_of(path for path in paths if path.exists())
    (options.out / "recovery.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if as_json:
        print(json.dumps({"runs": results, "recovery": rows}, indent=2))
        return
    print("| seed | replicas | faults | fewest live calls | redeemed | INVITEd | opt-outs | repeats | broken |")
    print("|---" * 9 + "|")
    for result in sorted(results, key=lambda one: int(one["seed"])):
        counts = result["counts"]
        names = ("faults", "live_calls_at_least", "redeemed", "invited", "opt_outs", "disposition_records_repeated")
        cells = [result["seed"], result["replicas"], *(counts.get(name, "-") for name in names)]
        print("| " + " | ".join(map(str, [*cells, ", ".join(result["broken"]) or "nothing"])) + " |")
    print("\nRecovery, seconds after the fault healed:\n\n" + table(rows))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
