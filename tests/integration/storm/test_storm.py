"""Each service is killed once by SIGKILL under live calls; a stranger counts at the carrier."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from outdial_cli.demo.watch import Watch
from outdial_cli.stack.layout import SERVICES
from outdial_cli.stack.stack import Stack
from tests.integration.campaign_run import Plan, dump_events, live_calls, run, wait_for
from tests.integration.storm.run import StormRun, numbers_of
from tests.integration.storm.run import run as run_storm
from tests.integration.storm.schedule import schedule
from tests.integration.stranger import broken, count, lines

pytestmark = [pytest.mark.stack, pytest.mark.storm, pytest.mark.timeout(900)]
LIVE_CALLS_AT_LEAST = 5
AWAY_SECONDS = 1.0
SEED, SEEDED_SECONDS = 3, 45.0
SCENARIO: dict[str, Any] = {
    "schema": 1,
    "seed": 23,
    "clock_start": "2026-11-17T15:00:00Z",
    "agents": {"count": 8, "login_spread_seconds": 1, "talk_mean_seconds": 12, "talk_cv": 0.5, "wrap_mean_seconds": 1},
    "carrier": {"pdd_ms": [100, 300], "digest": True, "loss": 0.0},
    "callees": {
        "mix": {"human": 0.45, "voicemail": 0.15, "no_answer": 0.25, "busy": 0.05, "sit": 0.05, "unavailable": 0.05},
        "ring_seconds": {"human": [1, 4], "voicemail": [1, 3]},
    },
}


def test_every_service_dies_once_and_the_invariants_hold(stack: Stack, tmp_path: Path) -> None:
    killed: dict[str, int] = {}

    def storm(watch: Watch) -> None:
        for service in SERVICES:
            wait_for(lambda: live_calls(stack) >= LIVE_CALLS_AT_LEAST, f"{LIVE_CALLS_AT_LEAST} live calls", 90)
            killed[service] = live_calls(stack)
            stack.kill(service, signal.SIGKILL)
            time.sleep(AWAY_SECONDS)
            stack.restart(service)
            print(f"storm: {service} killed with {killed[service]} live calls")

    plan = Plan(campaign_id="storm", team_id="stormers", scenario=SCENARIO, leads=300, seconds=0)
    run(stack, tmp_path, plan, during=storm)
    events = tmp_path / "events.jsonl"
    dump_events(stack, events)
    counts = count(lines(str(stack.carrier_log)), lines(str(events)))
    print(json.dumps(counts, indent=2))
    assert min(killed.values()) >= LIVE_CALLS_AT_LEAST
    assert broken(counts) == []


def test_seeded_storm_over_services_broker_and_database(stack: Stack, tmp_path: Path) -> None:
    """The short one of `python -m tests.integration.storm`, with what a stack that others share can bear."""
    plan = StormRun(
        campaign_id="seeded-storm",
        seed=SEED,
        seconds=SEEDED_SECONDS,
        planned=schedule(SEED, SEEDED_SECONDS, small=True, services_only=not stack.node_names),
        numbers=numbers_of(SEED),
        folder=tmp_path,
    )
    counts = run_storm(stack, plan)
    print(json.dumps(counts, indent=2))
    assert broken(counts) == []
    assert counts["faults"] >= 3
