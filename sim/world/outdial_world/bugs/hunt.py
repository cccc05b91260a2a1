"""Runs the world from a patched copy of the sources until a seed finds the bug."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outdial_world.bugs.patches import Bug, apply, copy_sources, environment_of

MOST_TOLD = 2000
PROOF = "import outdial_world, compliance_gate; print(outdial_world.__file__); print(compliance_gate.__file__)"


@dataclass(frozen=True, kw_only=True)
class Catch:
    """What came of one hunt."""

    bug: str
    name: str = ""
    """The invariant that means the bug; empty: not found."""
    seed: int | None = None
    detail: str = ""
    seeds_run: int = 0
    seconds: float = 0.0
    others: tuple[str, ...] = ()
    """Other invariants that broke in the same seed."""

    @property
    def caught(self) -> bool:
        """By an invariant that means it."""
        return bool(self.name)


def hunt(bug: Bug, seeds: int, jobs: int, first_seed: int = 1) -> Catch:
    """The first seed, of so many, in which an invariant of the bug's breaks.

    Raises:
        BadPatch: it does not apply.
        RuntimeError: the copy's packages do not win over installed ones, or the world ended on its own.
    """
    began = time.monotonic()
    wanted = {name.value for name in bug.caught_by}
    with copied() as tree:
        apply(bug, tree)
        run = 0
        for outcome in outcomes(tree, seeds, jobs, first_seed):
            run += 1
            broken = {finding["name"]: finding["detail"] for finding in reversed(outcome["findings"])}
            meant = sorted(wanted & broken.keys())
            if meant:
                return Catch(
                    bug=bug.title,
                    name=meant[0],
                    seed=outcome["seed"],
                    detail=broken[meant[0]],
                    seeds_run=run,
                    seconds=time.monotonic() - began,
                    others=tuple(sorted(broken.keys() - {meant[0]})),
                )
    return Catch(bug=bug.title, seeds_run=run, seconds=time.monotonic() - began)


def unpatched(seeds: int, jobs: int) -> list[str]:
    """What breaks in a copy without a bug; nothing should."""
    with copied() as tree:
        return [
            f"seed {outcome['seed']}: {finding['detail']}"
            for outcome in outcomes(tree, seeds, jobs, 1)
            for finding in outcome["findings"]
        ]


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the sources, of which Python is known to take its packages."""
    with tempfile.TemporaryDirectory(prefix="outdial-bug-") as folder:
        tree = Path(folder).resolve()
        copy_sources(tree)
        found = subprocess.run(
            [sys.executable, "-c", PROOF],
            env=environment_of(tree),
            cwd=tree,
            capture_output=True,
            text=True,
            check=True,
        )
        if not all(Path(line).is_relative_to(tree) for line in found.stdout.split()):
            raise RuntimeError("installed packages win over the copy's")
        yield tree


def outcomes(tree: Path, seeds: int, jobs: int, first_seed: int) -> Iterator[dict[str, Any]]:
    """One JSON object for each seed, as the world's own command prints it; ended when nobody wants more."""
    arguments = ["--seeds", str(seeds), "--first-seed", str(first_seed), "--jobs", str(jobs), "--json"]
    told, run = tree / "told.txt", 0
    errors = told.open("w", encoding="utf-8")
    world = subprocess.Popen(
        [sys.executable, "-m", "outdial_world", *arguments],
        cwd=tree,
        env=environment_of(tree),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )
    try:
        for line in world.stdout or ():
            run += 1
            yield json.loads(line)
        if run < seeds:
            raise RuntimeError(f"the world ended after {run} of {seeds} seeds: {told.read_text('utf-8')[-MOST_TOLD:]}")
    finally:
        _end(world)
        errors.close()


def _end(world: subprocess.Popen[str]) -> None:
    """It and the processes that it forked, which are a group of their own."""
    if world.poll() is None:
        world.send_signal(signal.SIGSTOP)  # so that it forks nobody new meanwhile
        with suppress(ProcessLookupError):
            os.killpg(world.pid, signal.SIGKILL)
    world.wait()
    if world.stdout is not None:
        world.stdout.close()
