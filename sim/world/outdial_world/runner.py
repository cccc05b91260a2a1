"""Runs seeds and says what did not hold."""

from __future__ import annotations

import gc
import time
import traceback
from dataclasses import dataclass, field

from outdial_world.digest import digest
from outdial_world.faults import Choice
from outdial_world.history import History
from outdial_world.invariants import Violation, check
from outdial_world.loop import run
from outdial_world.world import World, simulate

UNEXPLAINED, DID_NOT_RUN = "no-unexplained-fault", "world-runs"
MOST_LEFT_TOLD = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that did not hold."""

    name: str
    detail: str
    attempt_id: str = ""

    @classmethod
    def of(cls, violation: Violation) -> Finding:
        """A violation of an invariant."""
        return cls(name=violation.name.value, detail=str(violation), attempt_id=violation.attempt_id)


@dataclass(kw_only=True)
class Outcome:
    """One seed's run."""

    seed: int
    findings: list[Finding]
    simulated_seconds: float = 0.0
    real_seconds: float = 0.0
    cpu_seconds: float = 0.0
    digest: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """What happened, for whoever wants to know that something did."""


def run_seed(seed: int, choice: Choice) -> tuple[Outcome, History | None]:
    """Runs it and checks its history; a world that breaks is a finding too."""
    real, cpu = time.monotonic(), time.process_time()
    gc.disable()  # a run's garbage goes with its loop, and cycles are looked for in between
    try:
        world = run(lambda loop: simulate(loop, seed, choice))
    except Exception as error:
        place = traceback.format_exception(error)[-3:]
        finding = Finding(name=DID_NOT_RUN, detail=f"{type(error).__name__}: {''.join(place)}")
        return Outcome(seed=seed, findings=[finding]), None
    finally:
        gc.enable()
        gc.collect()
    history = world.history
    outcome = Outcome(
        seed=seed,
        findings=findings(world),
        simulated_seconds=(history.ended_at - history.started_at).total_seconds(),
        real_seconds=time.monotonic() - real,
        cpu_seconds=time.process_time() - cpu,
        digest=digest(history),
        counts=_counts(history),
    )
    return outcome, history


def findings(world: World) -> list[Finding]:
    """Invariants first, then what only the engine knows."""
    found = [Finding.of(violation) for violation in check(world.history)]
    found += [Finding(name=UNEXPLAINED, detail=sentence) for sentence in world.unexplained]
    if not world.history.drained:
        left = "; ".join(world.left[:MOST_LEFT_TOLD])
        found = [f if f.name != "world-comes-to-rest" else _with(f, left) for f in found]
    return found


def _with(finding: Finding, left: str) -> Finding:
    return Finding(name=finding.name, detail=f"{finding.detail} Left: {left}", attempt_id=finding.attempt_id)


def _counts(history: History) -> dict[str, int]:
    counts = {"records": len(history.records), "invites": len(history.invites), "rpcs": len(history.rpcs)}
    for fault in history.faults:
        counts[fault.kind] = counts.get(fault.kind, 0) + 1
    return counts
