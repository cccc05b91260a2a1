"""Runs a campaign on a running stack, as a CRM, a supervisor and the outside world would."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from outdial_cli.demo.run import with_port
from outdial_cli.demo.services import Services
from outdial_cli.demo.watch import Watch
from outdial_cli.records import TopicReader
from outdial_cli.report.facts import PATH_TOPICS
from outdial_cli.stack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SETTLE_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run: the example campaign under another id and team, a scenario, and how many leads."""

    campaign_id: str
    team_id: str
    scenario: Mapping[str, Any]
    leads: int
    seconds: float
    leads_file: Path | None = None
    """A leads.csv of its own; None takes the first of the example's."""
    settle_seconds: float = SETTLE_SECONDS
    campaign: Mapping[str, Any] = field(default_factory=dict)
    """What its campaign.yaml says beside the example's or instead of it."""


def run(stack: Stack, folder: Path, plan: Plan, during: Callable[[Watch], None] | None = None) -> list[dict[str, str]]:
    """Dials for `plan.seconds` (or as long as `during` takes), stops, waits until nothing is open; returns the rows."""
    folder.mkdir(parents=True, exist_ok=True)
    services = Services(stack.addresses)
    campaign = {
        **yaml.safe_load((EXAMPLES / "campaign.yaml").read_text()),
        "id": plan.campaign_id,
        "team": plan.team_id,
        **plan.campaign,
    }
    scenario = folder / "scenario.yaml"
    scenario.write_text(yaml.safe_dump(dict(plan.scenario)))
    leads, rows = _leads(folder, plan) if plan.leads_file is None else (plan.leads_file, read_rows(plan.leads_file))
    try:
        services.publish_route(
            with_port(yaml.safe_load((EXAMPLES / "route.yaml").read_text()), stack.addresses.carrier_sip_port)
        )
        services.publish_campaign(campaign)
        services.suppress(EXAMPLES / "suppression.csv")
        services.import_leads(leads, plan.campaign_id, dry_run=False)
        with Watch(stack.bootstrap, stack.topic_prefix) as watch:
            stack.start_world(scenario, plan.campaign_id, plan.team_id)
            services.set_state(plan.campaign_id, "RUNNING")
            if during is None:
                time.sleep(plan.seconds)
            else:
                during(watch)
            services.set_state(plan.campaign_id, "STOPPED")
            _settle(watch, plan.settle_seconds)
            stack.stop_world()
    finally:
        services.close()
    return rows


def live_calls(stack: Stack) -> int:
    """Calls that the carrier has up now."""
    stats = httpx.get(f"http://127.0.0.1:{stack.addresses.carrier_control_port}/stats", timeout=5).json()
    return int(stats["live_calls"])


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Polls; fails naming what did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:.0f} s"
        time.sleep(0.1)


def dump_events(stack: Stack, path: Path, topics: Iterable[str] = PATH_TOPICS) -> None:
    """The path's topics as JSON lines, for whoever counts without our code."""
    with path.open("w", encoding="utf-8") as file:
        for topic, records in TopicReader(stack.bootstrap, stack.topic_prefix).read(topics).items():
            for record in records:
                value = record.event.to_record() if record.event else None
                file.write(json.dumps({"topic": topic, "ce_id": record.ce_id, "value": value}, default=str) + "\n")


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a leads.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _leads(folder: Path, plan: Plan) -> tuple[Path, list[dict[str, str]]]:
    """The first rows of the example under ids of their own, so that campaigns of one stack do not share people."""
    with (EXAMPLES / "leads.csv").open(encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if None not in row][: plan.leads]
        names = list(reader.fieldnames or ())
    path = folder / "leads.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            row["lead_id"] = f"{plan.campaign_id}-{row['lead_id']}"
            writer.writerow(row)
    return path, rows


def _settle(watch: Watch, seconds: float) -> None:
    time.sleep(1.0)
    deadline = time.monotonic() + seconds
    while not watch.picture.settled:
        assert time.monotonic() < deadline, f"still open after {seconds:.0f} s: {open_now(watch)}"
        time.sleep(0.25)


def open_now(watch: Watch) -> str:
    """What is not settled, in numbers."""
    picture = watch.picture
    return (
        f"{len(picture.offered - picture.blocked - set(picture.cleared))} offers undecided, "
        f"{len(set(picture.cleared) - set(picture.closed))} cleared not closed, "
        f"{len(set(picture.closed) - set(picture.disposed))} closed not disposed (refused and lapsed among them)"
    )
