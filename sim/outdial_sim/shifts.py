"""Counting agents' time from agents.jsonl alone: signed in, paused, talking, wrapping up, and first callee audio."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outdial_sim.journal import read


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Seconds over all agents; utilisation = (talk + wrap) / (signed in - paused), None when nobody was signed in."""

    agents: int
    calls: int
    calls_with_audio: int
    signed_in_seconds: float
    paused_seconds: float
    talk_seconds: float
    wrap_seconds: float
    utilisation: float | None


def recount_shifts(path: Path) -> Shifts:
    """Count a journal of agents. Raises OSError, or ValueError for a broken line."""
    return count_shifts(read(path))


def count_shifts(lines: list[dict[str, Any]]) -> Shifts:
    """Count decoded lines; an agent still signed in at the end counts until the last line."""
    spent: dict[str, float] = defaultdict(float)
    states: dict[str, tuple[str, float]] = {}
    end = max((float(line["t"]) for line in lines), default=0.0)
    for line in (line for line in lines if line["event"] == "state"):
        _spend(spent, states.get(line["agent_id"]), float(line["t"]))
        states[line["agent_id"]] = (line["state"], float(line["t"]))
    for state in states.values():
        _spend(spent, state, end)
    signed_in = sum(seconds for state, seconds in spent.items() if state != "signed_out")
    base = signed_in - spent["paused"]
    busy = spent["talking"] + spent["wrapup"]
    return Shifts(
        agents=len(states),
        calls=sum(line["event"] == "bridged" for line in lines),
        calls_with_audio=sum(line["event"] == "first_callee_audio" for line in lines),
        signed_in_seconds=round(signed_in, 3),
        paused_seconds=round(spent["paused"], 3),
        talk_seconds=round(spent["talking"], 3),
        wrap_seconds=round(spent["wrapup"], 3),
        utilisation=round(busy / base, 4) if base > 0 else None,
    )


def _spend(spent: dict[str, float], state: tuple[str, float] | None, until: float) -> None:
    if state is not None:
        spent[state[0]] += until - state[1]
