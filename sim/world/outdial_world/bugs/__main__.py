"""`python -m outdial_world.bugs [--seeds 500] [--only NN]`: every deliberate bug is found, a clean copy is clean."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from outdial_world.bugs.hunt import Catch, hunt, unpatched
from outdial_world.bugs.patches import all_bugs


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every bug was found by an invariant that means it, and nothing broke without one."""
    options = _parser().parse_args(argv)
    bugs = [bug for bug in all_bugs() if not options.only or bug.number in options.only]
    failed = False
    if not options.only and options.clean:
        complaints = unpatched(options.clean, options.jobs)
        failed = bool(complaints)
        print(f"without a bug: {options.clean} seeds, {len(complaints)} complaints", flush=True)
        for complaint in complaints[:5]:
            print(f"  {complaint}", flush=True)
    print(f"{'bug':<44} {'caught by':<32} {'seed':>5} {'seconds':>8}", flush=True)
    for bug in bugs:
        catch = hunt(bug, options.seeds, options.jobs, options.first_seed)
        failed = failed or not catch.caught
        print(_row(bug.number, catch), flush=True)
        if options.verbose and catch.caught:
            print(f"   {catch.detail}; also {', '.join(catch.others) or 'nothing'}", flush=True)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m outdial_world.bugs", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="most seeds for each bug")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--only", action="append", metavar="NN", help="a bug's number; may be given again")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--clean", type=int, default=5, metavar="SEEDS", help="seeds of the copy without a bug")
    parser.add_argument("--verbose", action="store_true", help="what was said of each")
    return parser


def _row(number: str, catch: Catch) -> str:
    title = f"{number} {catch.bug}"
    if not catch.caught:
        return f"{title:<44} {'NOT FOUND':<32} {f'>{catch.seeds_run}':>5} {catch.seconds:>8.0f}"
    return f"{title:<44} {catch.name:<32} {catch.seed:>5} {catch.seconds:>8.0f}"


if __name__ == "__main__":
    sys.exit(main())
