"""The whole pipeline on one machine: attempts per second, CPU-ms per attempt, latencies."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from bench import leads
from bench.cpu import CpuSample, leaders_of, sample
from bench.figures import RunFigures, Window, figures_of
from outdial_cli.config import Config
from outdial_cli.demo.run import with_port
from outdial_cli.demo.services import Services
from outdial_cli.demo.watch import Watch
from outdial_cli.stack.environment import RunClock
from outdial_cli.stack.stack import Stack, StackOptions

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
CLOCK_START = "2026-11-17T15:00:00Z"
"""Tuesday, 10:00 in New York."""
MOST_AGENTS = 40
"""Enough for more than this scenario reaches anywhere; each costs CPU of the same machine."""
FEWEST_AGENTS = 5
"""Below that the example's pacing no longer overdials."""
AGENTS_PER_ATTEMPT_A_SECOND = 0.75
"""Of this scenario: one attempt in ten is a person, who takes an agent for about four seconds."""
TRUNK_MARGIN = 1.5
"""The trunk's calls_per_second over the rate wanted: a stop, while the number of agents sets the pace."""
IDLE_SECONDS = 5.0
WARM_SECONDS = 12.0
"""Agents sign in and the pacer learns before a figure counts."""
MEASURED_SECONDS = 30.0
SETTLE_SECONDS = 60.0
FIRST_RATE = 20.0
UNTHROTTLED = 1000.0
SPARE_LEADS = 400
MOST_PER_SECOND = 100
"""No machine this is meant for dials more; leads are made for so many."""
SCENARIO: Mapping[str, Any] = {
    "schema": 1,
    "seed": 7,
    "clock_start": CLOCK_START,
    "agents": {
        "count": MOST_AGENTS,
        "login_spread_seconds": 2,
        "talk_mean_seconds": 2,
        "talk_cv": 0.3,
        "wrap_mean_seconds": 1,
    },
    "carrier": {"pdd_ms": [100, 300], "digest": True, "loss": 0.0},
    "callees": {
        "mix": {"busy": 0.5, "not_found": 0.3, "unavailable": 0.1, "human": 0.1},
        "ring_seconds": {"human": [0.3, 0.8]},
    },
}
"""Mostly calls that fail at once: the shortest attempts there are, so that not the phone is measured."""


@dataclass(frozen=True, kw_only=True)
class AttemptsResult:
    """Three runs on one stack."""

    at_first_rate: RunFigures
    at_maximum: RunFigures
    at_half: RunFigures
    idle_ms_per_second: Mapping[str, float]
    """CPU-ms per second of a stack that does nothing."""


def run(say: Callable[[str], None]) -> AttemptsResult:
    """Starts a stack, runs three campaigns, stops everything."""
    with tempfile.TemporaryDirectory(prefix="outdial-bench-") as folder:
        clock = RunClock(start=CLOCK_START, origin_seconds=time.monotonic())
        options = StackOptions(
            data_dir=Path(folder) / "stack",
            cache_dir=Config.from_env().cache_dir,
            clock=clock,
            prompts_dir=EXAMPLES / "prompts",
            lists_dir=EXAMPLES / "lists",
        )
        stack = Stack(options, say)
        services = Services(stack.addresses)
        try:
            stack.start()
            return _three_runs(stack, services, Path(folder), say)
        finally:
            services.close()
            stack.stop()


def _three_runs(stack: Stack, services: Services, folder: Path, say: Callable[[str], None]) -> AttemptsResult:
    idle = _idle(folder)
    numbers = leads.numbers()
    found: list[RunFigures] = []
    for name, rate in (("first", FIRST_RATE), ("maximum", None), ("half", None)):
        if name == "half":
            rate = found[1].attempts_per_second / 2
        figures = _one_run(stack, services, folder, numbers, name, rate or UNTHROTTLED)
        found.append(figures)
        say(f"attempts: {name}: {figures.attempts_per_second:.1f}/s, {figures.services_cpu_ms:.1f} CPU-ms each")
    return AttemptsResult(at_first_rate=found[0], at_maximum=found[1], at_half=found[2], idle_ms_per_second=idle)


def _idle(folder: Path) -> dict[str, float]:
    leaders = leaders_of(folder / "stack" / "pids")
    before = sample(leaders)
    time.sleep(IDLE_SECONDS)
    return {name: used / IDLE_SECONDS for name, used in sample(leaders).since(before).items()}


def _one_run(
    stack: Stack, services: Services, folder: Path, numbers: Iterator[tuple[str, str]], name: str, rate: float
) -> RunFigures:
    campaign_id, team_id = f"bench-{name}", f"team-{name}"
    _publish(stack, services, campaign_id, team_id, rate * TRUNK_MARGIN)
    expected = min(rate, MOST_PER_SECOND) * (WARM_SECONDS + MEASURED_SECONDS)
    path = folder / f"{name}.csv"
    leads.write(path, numbers, int(expected) + SPARE_LEADS, campaign_id)
    services.import_leads(path, campaign_id, dry_run=False)
    scenario = folder / "scenario.yaml"
    scenario.write_text(yaml.safe_dump({**SCENARIO, "agents": {**SCENARIO["agents"], "count": agents_for(rate)}}))
    stack.start_world(scenario, campaign_id, team_id)
    services.set_state(campaign_id, "RUNNING")
    time.sleep(WARM_SECONDS)
    before, after, bindings = _sampled(leaders_of(folder / "stack" / "pids"), services, campaign_id)
    services.set_state(campaign_id, "STOPPED")
    _settle(stack)
    stack.stop_world()
    return figures_of(stack, campaign_id, Window(before=before, after=after, bindings=bindings))


def agents_for(rate: float) -> int:
    """How many agents pace a campaign of this scenario at about `rate` attempts per second."""
    return min(max(ceil(rate * AGENTS_PER_ATTEMPT_A_SECOND), FEWEST_AGENTS), MOST_AGENTS)


def _sampled(
    leaders: Mapping[str, int], services: Services, campaign_id: str
) -> tuple[CpuSample, CpuSample, dict[str, int]]:
    """Both ends of the window, and what bound the pacer meanwhile (asked once a second)."""
    bindings: Counter[str] = Counter()
    before = sample(leaders)
    while time.time() < before.at + MEASURED_SECONDS:
        time.sleep(1.0)
        bindings[str(services.get("pacer", f"/v1/why/{campaign_id}")["binding"])] += 1
    return before, sample(leaders), dict(bindings.most_common())


def _publish(stack: Stack, services: Services, campaign_id: str, team_id: str, rate: float) -> None:
    """The example's campaign and route under names of this run; `rate` is the trunk's limit."""
    route = with_port(yaml.safe_load((EXAMPLES / "route.yaml").read_text()), stack.addresses.carrier_sip_port)
    trunks = [{**trunk, "calls_per_second": rate, "channels": 1000} for trunk in route["trunks"]]
    services.publish_route({**route, "route_id": f"route-{campaign_id}", "trunks": trunks})
    campaign = yaml.safe_load((EXAMPLES / "campaign.yaml").read_text())
    pacing = {**campaign["pacing"], "max_lines_per_agent": 20}
    services.publish_campaign(
        {**campaign, "id": campaign_id, "team": team_id, "route": f"route-{campaign_id}", "pacing": pacing}
    )


def _settle(stack: Stack) -> None:
    """Until nothing is open, so that no run works for the one before it."""
    deadline = time.monotonic() + SETTLE_SECONDS
    with Watch(stack.bootstrap, stack.topic_prefix) as watch:
        time.sleep(2.0)
        while not watch.picture.settled and time.monotonic() < deadline:
            time.sleep(0.25)
