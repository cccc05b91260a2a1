"""`python -m outdial_world`: seeds in, invariants out; a failing seed is replayed and its story told."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

from outdial_world.faults import ALL, Choice, Fault
from outdial_world.runner import Outcome, run_seed
from outdial_world.shrink import Shrinking
from outdial_world.story import story

EVERY_SEEDS = 10
MOST_FINDINGS_SHOWN = 5


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every invariant held in every seed."""
    options = _parser().parse_args(argv)
    choice = Choice(kinds=_kinds(options.faults))
    if options.replay is not None:
        return _replay(options.replay, choice, shrink=not options.whole)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    return _simulate(seeds, choice, options.jobs, options.json)


def _parser() -> argparse.ArgumentParser:
    kinds = ",".join(Fault)
    parser = argparse.ArgumentParser(prog="python -m outdial_world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=25, help="how many seeds to run")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--faults", default="all", help=f"all, none, or some of {kinds}")
    parser.add_argument("--json", action="store_true", help="one JSON object for each seed")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one seed, leave out what it does not need")
    parser.add_argument("--whole", action="store_true", help="with --replay: tell the story as it was")
    return parser


def _kinds(text: str) -> frozenset[Fault]:
    if text == "all":
        return ALL
    return frozenset() if text == "none" else frozenset(Fault(name) for name in text.split(","))


def _simulate(seeds: range, choice: Choice, jobs: int, as_json: bool) -> int:
    began = time.monotonic()
    simulated, failed = 0.0, []
    for done, outcome in enumerate(_outcomes(seeds, choice, jobs), start=1):
        simulated += outcome.simulated_seconds
        if as_json:
            print(json.dumps(asdict(outcome)), flush=True)
        if outcome.findings:
            failed.append(outcome.seed)
            _tell(outcome, as_json)
        if done % EVERY_SEEDS == 0 or done == len(seeds):
            rate = simulated / max(time.monotonic() - began, 1e-9)
            print(
                f"{done}/{len(seeds)} seeds, {len(failed)} failed, {simulated:.0f} simulated seconds,"
                f" {rate:.0f} per real second",
                file=sys.stderr if as_json else sys.stdout,
                flush=True,
            )
    if failed:
        print(f"replay with: python -m outdial_world --replay {failed[0]}", file=sys.stderr)
    return 1 if failed else 0


def _outcomes(seeds: range, choice: Choice, jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        for seed in seeds:
            yield run_seed(seed, choice)[0]
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=None) as pool:
        yield from pool.map(_outcome, [(seed, choice) for seed in seeds])


def _outcome(task: tuple[int, Choice]) -> Outcome:
    return run_seed(*task)[0]


def _tell(outcome: Outcome, as_json: bool) -> None:
    out = sys.stderr if as_json else sys.stdout
    print(f"seed {outcome.seed} fails:", file=out)
    for finding in outcome.findings[:MOST_FINDINGS_SHOWN]:
        print(f"  {finding.name}: {finding.detail}", file=out)
    if (more := len(outcome.findings) - MOST_FINDINGS_SHOWN) > 0:
        print(f"  and {more} more", file=out, flush=True)


def _replay(seed: int, choice: Choice, *, shrink: bool) -> int:
    outcome, history = run_seed(seed, choice)
    if not outcome.findings:
        print(f"seed {seed}: every invariant holds ({outcome.digest})")
        return 0
    _tell(outcome, False)
    finding = outcome.findings[0]
    if shrink:
        shrunk = Shrinking(seed, finding.name, print).shrink(choice)
        if shrunk is not None:
            finding, history = shrunk.finding, shrunk.history
            kinds = ",".join(sorted(shrunk.choice.kinds)) or "none"
            print(f"\nshortest after {shrunk.runs} runs: {len(history.faults)} faults of kinds {kinds}")
    print(f"\n{finding.name}: {finding.detail}\n")
    if history is not None:
        print("\n".join(story(history, finding.attempt_id)))
    return 1
