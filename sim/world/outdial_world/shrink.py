"""The fewest faults with which a seed still breaks the same invariant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from outdial_world.faults import Choice, Fault
from outdial_world.history import History
from outdial_world.runner import Finding, Outcome, run_seed

MOST_RUNS = 60


@dataclass(kw_only=True)
class Shrunk:
    """The smallest failing run that was found."""

    choice: Choice
    finding: Finding
    history: History
    runs: int


Run = Callable[[int, Choice], tuple[Outcome, History | None]]


class Shrinking:
    """Leaves out whole kinds of faults first, then halves of what is left, then single ones."""

    def __init__(self, seed: int, name: str, say: Callable[[str], None], run: Run = run_seed) -> None:
        self._seed, self._name, self._say, self._run = seed, name, say, run
        self._runs = 0
        self._best: Shrunk | None = None

    def shrink(self, choice: Choice) -> Shrunk | None:
        """None when the seed does not break it with this choice."""
        if not self._fails(choice) or self._best is None:
            return None
        for kind in Fault:
            kinds = self._best.choice.kinds
            if kind in kinds:
                self._fails(replace(self._best.choice, kinds=kinds - {kind}))
        self._leave_out(self._happened())
        self._best.runs = self._runs
        return self._best

    def _leave_out(self, numbers: list[str]) -> None:
        """Delta debugging: ever smaller parts, as long as there is something to gain."""
        size = len(numbers)
        while size >= 1 and self._runs < MOST_RUNS:
            for start in range(0, len(numbers), size):
                part = frozenset(numbers[start : start + size])
                assert self._best is not None
                if self._runs < MOST_RUNS and part - self._best.choice.without:
                    best = self._best.choice
                    self._fails(replace(best, without=best.without | part))
            size //= 2

    def _happened(self) -> list[str]:
        """Numbers of the faults of the smallest run so far."""
        assert self._best is not None
        return list(dict.fromkeys(fault.number for fault in self._best.history.faults))

    def _fails(self, choice: Choice) -> bool:
        self._runs += 1
        outcome, history = self._run(self._seed, choice)
        finding = next((f for f in outcome.findings if f.name == self._name), None)
        if finding is None or history is None:
            return False
        self._best = Shrunk(choice=choice, finding=finding, history=history, runs=self._runs)
        left = len(history.faults)
        self._say(f"run {self._runs}: still {self._name} with {left} faults of {len(choice.kinds)} kinds")
        return True
