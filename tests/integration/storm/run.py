"""One run: a campaign, a schedule of faults under live calls, a drain, and the files a judge needs."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench import leads
from outdial_cli.demo.run import with_port
from outdial_cli.demo.services import Services
from outdial_cli.demo.watch import Watch
from outdial_cli.embedded.supervisor import ChildEvent, ChildState
from outdial_cli.records import TopicReader
from outdial_cli.stack.stack import Stack
from outdial_contracts.topics import TOPICS
from tests.integration.campaign_run import EXAMPLES, dump_events, open_now
from tests.integration.storm.carrier_tail import CarrierTail
from tests.integration.storm.disk import SmallDisk
from tests.integration.storm.ground import Ground
from tests.integration.storm.judge import judge
from tests.integration.storm.opt_outs import OptOuts
from tests.integration.storm.schedule import Planned

LIVE_CALLS_AT_LEAST = 5
LIVE_CALLS_SECONDS = 90.0
RECOVERY_SECONDS = 120.0
DRAIN_SECONDS = 240.0
ASK_WHY_AFTER_SECONDS = 2.0
WHY_SECONDS = 0.5
LEADS = 700
CALLEES = {
    "mix": {
        "human": 0.55, "voicemail": 0.1, "no_answer": 0.12, "busy": 0.08,
        "sit": 0.05, "unavailable": 0.05, "hangup": 0.05,
    },
    "ring_seconds": {"human": [1, 4], "voicemail": [1, 3]},
}  # fmt: skip
AGENTS = {"login_spread_seconds": 1, "talk_mean_seconds": 15, "talk_cv": 0.4, "wrap_mean_seconds": 1}
ROUTE = "storm-carrier"


@dataclass(frozen=True, kw_only=True)
class StormRun:
    """What to run."""

    campaign_id: str
    seed: int
    seconds: float
    planned: list[Planned]
    numbers: Sequence[tuple[str, str]]
    """(E.164, state) of people whom no run of this stack has called."""
    folder: Path
    """Takes the run's files."""
    agents: int = 14
    """In all, over the consoles."""
    consoles: int = 1
    disks: Mapping[str, SmallDisk] = field(default_factory=dict)
    say: Callable[[str], None] = print


def numbers_of(seed: int) -> list[tuple[str, str]]:
    """People of a seed's run; seeds that follow each other have others."""
    everyone = list(leads.numbers())
    slot = seed % (len(everyone) // LEADS)
    return everyone[slot * LEADS : (slot + 1) * LEADS]


@dataclass(kw_only=True)
class Storm:
    """A run under way."""

    stack: Stack
    plan: StormRun
    ground: Ground
    services: Services
    began: float = field(default_factory=time.time)
    ends: list[dict[str, Any]] = field(default_factory=list)
    """Processes that ended by themselves, or could not start."""

    def say(self, text: str) -> None:
        """With the run's time."""
        self.plan.say(f"{time.time() - self.began:6.1f} s  {text}")

    def on_child(self, event: ChildEvent) -> None:
        """The stack's supervision."""
        if event.state is ChildState.EXITED:
            self.ground.note_end(event.name)
        if event.state in (ChildState.EXITED, ChildState.FAILED):
            end = {"at": time.time(), "name": event.name, "state": event.state, "exit_code": event.exit_code}
            self.ends.append(end)
            self.say(f"{event.name} {event.state} ({event.exit_code})")


def run(stack: Stack, plan: StormRun) -> dict[str, Any]:
    """Runs, drains and judges; the counts of judge.judge. Everything it saw is in plan.folder."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    marks = {path: _size(path) for path in (stack.carrier_log, stack.agents_log, *stack.logs_dir.glob("*.log"))}
    ground = Ground(stack=stack, tail=CarrierTail(stack.carrier_log, marks[stack.carrier_log]), disks=plan.disks)
    services = Services(stack.addresses)
    storm = Storm(stack=stack, plan=plan, ground=ground, services=services)
    try:
        people = _prepare(storm)
        with stack.supervised(storm.on_child), Watch(stack.bootstrap, stack.topic_prefix) as watch:
            stack.start_world(_scenario(plan), plan.campaign_id, plan.campaign_id)
            services.set_state(plan.campaign_id, "RUNNING")
            gate = stack.addresses.url("compliance-gate")
            outs = OptOuts(plan.folder / "opt_outs.jsonl", gate, watch, people, random.Random(plan.seed))
            with outs:
                _blow(storm)
            open_at_end, drain_seconds = _drain(storm, watch)
            stack.stop_world()
    finally:
        services.close()
    run_file = {
        "campaign_id": plan.campaign_id,
        "seed": plan.seed,
        "seconds": plan.seconds,
        "live_calls_at_least": LIVE_CALLS_AT_LEAST,
        "drained": open_at_end is None,
        "open": open_at_end,
        "drain_seconds": drain_seconds,
        "planned": [f"{one.at:.1f} {one.fault!r}" for one in plan.planned],
        "ends": storm.ends,
        "opt_outs_unanswered": outs.unanswered,
    }
    (plan.folder / "run.json").write_text(json.dumps(run_file, indent=2))
    _collect(storm, marks)
    return judge(plan.folder)


def _prepare(storm: Storm) -> dict[str, tuple[str, str]]:
    """Route, campaign and leads; lead_id -> (person_id, E.164)."""
    stack, plan, services = storm.stack, storm.plan, storm.services
    route = with_port(yaml.safe_load((EXAMPLES / "route.yaml").read_text()), stack.addresses.carrier_sip_port)
    services.publish_route({**route, "route_id": ROUTE})
    campaign = yaml.safe_load((EXAMPLES / "campaign.yaml").read_text())
    services.publish_campaign({**campaign, "id": plan.campaign_id, "team": plan.campaign_id, "route": ROUTE})
    path = plan.folder / "leads.csv"
    leads.write(path, iter(plan.numbers), LEADS, plan.campaign_id)
    valid = services.import_leads(path, plan.campaign_id, dry_run=True)["valid"]
    services.import_leads(path, plan.campaign_id, dry_run=False)
    return {lead["lead_id"]: (lead["person_id"], lead["phone"]) for lead in valid}


def _scenario(plan: StormRun) -> Path:
    each = -(-plan.agents // plan.consoles)
    scenario = {
        "schema": 1,
        "seed": plan.seed,
        "clock_start": "2026-11-17T15:00:00Z",
        "agents": {"count": each, **AGENTS},
        "carrier": {"pdd_ms": [100, 300], "digest": True, "loss": 0.0},
        "callees": CALLEES,
    }
    path = plan.folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(scenario))
    return path


def _blow(storm: Storm) -> None:
    """One fault after another until the time is up; each is waited out until calls go out again."""
    started = time.monotonic()
    with (storm.plan.folder / "faults.jsonl").open("w", encoding="utf-8", buffering=1) as file:
        for planned in storm.plan.planned:
            time.sleep(max(0.0, started + planned.at - time.monotonic()))
            if time.monotonic() - started > storm.plan.seconds:
                return
            row = _one(storm, planned)
            file.write(json.dumps(row) + "\n")
            storm.say(
                f"{row['kind']}: {row['live_calls']} live calls; ready {_s(row['ready_seconds'])}, "
                f"first INVITE {_s(row['invite_seconds'])} after it healed"
            )
    time.sleep(max(0.0, started + storm.plan.seconds - time.monotonic()))


def _one(storm: Storm, planned: Planned) -> dict[str, Any]:
    ground, fault = storm.ground, planned.fault
    _wait(lambda: ground.live_calls() >= LIVE_CALLS_AT_LEAST, LIVE_CALLS_SECONDS)
    live = ground.live_calls()
    begun_at = time.time()
    fault.inject(ground)
    injected_at = time.time()
    time.sleep(fault.seconds)
    healing_at = time.time()
    fault.heal(ground)
    healed_at = time.time()
    ready, invite, waited_for = _recovery(storm, healed_at)
    return {
        "seed": storm.plan.seed,
        "replicas": storm.plan.consoles,
        "kind": fault.kind,
        "planned_at": planned.at,
        "fault": repr(fault),
        "shuts": fault.shuts,
        "live_calls": live,
        "begun_at": begun_at,
        "injected_at": injected_at,
        "healing_at": healing_at,
        "healed_at": healed_at,
        "ready_seconds": ready,
        "invite_seconds": invite,
        "waited_for": waited_for,
        "from_begin_seconds": None if invite is None else round(healed_at + invite - begun_at, 3),
    }


def _recovery(storm: Storm, healed_at: float) -> tuple[float | None, float | None, dict[str, int]]:
    """Seconds from the healing until every process is ready, and until the first new INVITE; None for never.

    And what the pacer said that it waited for before the first INVITE: {binding: how often it was asked}.
    """
    ground = storm.ground
    deadline = time.monotonic() + RECOVERY_SECONDS
    ready: float | None = None
    invite: float | None = None
    waited_for: Counter[str] = Counter()
    while (ready is None or invite is None) and time.monotonic() < deadline:
        if invite is None and time.time() - healed_at > ASK_WHY_AFTER_SECONDS:
            waited_for[_why(storm)] += 1
        if ready is None and ground.all_ready():
            ready = round(time.time() - healed_at, 3)
        first = ground.tail.first_invite_after(healed_at)
        if invite is None and first is not None:
            invite = round(first - healed_at, 3)
        time.sleep(0.2)
    return ready, invite, dict(waited_for)


def _why(storm: Storm) -> str:
    url = f"{storm.stack.addresses.url('pacer')}/v1/why/{storm.plan.campaign_id}"
    try:
        return str(httpx.get(url, timeout=WHY_SECONDS).json()["binding"])
    except (httpx.HTTPError, ValueError, KeyError):
        return "pacer does not answer"


def _drain(storm: Storm, watch: Watch) -> tuple[str | None, float]:
    """Stops the campaign; (what is still open after the longest wait, None when nothing is; seconds it took)."""
    started = time.monotonic()
    _wait(storm.ground.all_ready, RECOVERY_SECONDS)
    storm.services.set_state(storm.plan.campaign_id, "STOPPED")
    time.sleep(2.0)
    settled = _wait(lambda: watch.picture.settled, DRAIN_SECONDS)
    seconds = round(time.monotonic() - started, 1)
    storm.say(f"drained after {seconds:.0f} s" if settled else f"not drained after {seconds:.0f} s: {open_now(watch)}")
    return (None if settled else open_now(watch)), seconds


def _collect(storm: Storm, marks: Mapping[Path, int]) -> None:
    """This run's part of every log, and the topics."""
    folder, stack = storm.plan.folder, storm.stack
    _copy(stack.carrier_log, folder / "carrier.jsonl", marks)
    _copy(stack.agents_log, folder / "agents.jsonl", marks)
    (folder / "logs").mkdir(exist_ok=True)
    for path in stack.logs_dir.glob("*.log"):
        _copy(path, folder / "logs" / path.name, marks)
    dump_events(stack, folder / "events.jsonl")
    dead = [topic.dead_letter for topic in TOPICS.values() if topic.dead_letter]
    with (folder / "dead.jsonl").open("w", encoding="utf-8") as file:
        for topic, records in TopicReader(stack.bootstrap, stack.topic_prefix).read(dead).items():
            for record in records:
                if record.timestamp_ms > storm.began * 1000:
                    headers = {name: value.decode(errors="replace") for name, value in record.headers.items()}
                    reason = next((value for name, value in headers.items() if "reason" in name), "")
                    file.write(json.dumps({"topic": topic, "reason": reason, "headers": headers}) + "\n")


def _copy(source: Path, target: Path, marks: Mapping[Path, int]) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        read.seek(marks.get(source, 0))
        shutil.copyfileobj(read, write)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"
