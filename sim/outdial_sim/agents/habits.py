"""What an agent does with a call: talk time, wrap-up time and code, drawn by hash of (seed, agent, attempt). Pure."""

import math
import random
from dataclasses import dataclass

from outdial_sim.scenario import AgentsSpec

WRAP_CV = 0.5
CODE_WEIGHTS = {"NOT_INTERESTED": 0.62, "INTERESTED": 0.20, "CALLBACK": 0.14, "DNC_REQUESTED": 0.04}


@dataclass(frozen=True, kw_only=True)
class CallHabits:
    """How one call will go."""

    talk_seconds: float
    wrap_seconds: float
    code: str


def habits_of(spec: AgentsSpec, seed: int, agent_id: str, attempt_id: str) -> CallHabits:
    """Equal for equal arguments; log-normal times with the scenario's means."""
    chance = random.Random(f"{seed}:{agent_id}:{attempt_id}")
    return CallHabits(
        talk_seconds=log_normal(chance, spec.talk_mean_seconds, spec.talk_cv),
        wrap_seconds=log_normal(chance, spec.wrap_mean_seconds, WRAP_CV),
        code=chance.choices(list(CODE_WEIGHTS), list(CODE_WEIGHTS.values()))[0],
    )


def log_normal(chance: random.Random, mean: float, cv: float) -> float:
    """A log-normal draw by mean and coefficient of variation: sigma^2 = ln(1 + cv^2), mu = ln(mean) - sigma^2 / 2."""
    if mean <= 0.0 or cv == 0.0:
        return mean
    variance = math.log1p(cv * cv)
    return chance.lognormvariate(math.log(mean) - variance / 2, math.sqrt(variance))
