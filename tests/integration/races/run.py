"""One run: the three races one after another under a storm of kills, then healing, quiet, and the books."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.leads import numbers
from outdial_cli.embedded.postgres import run_sql
from outdial_cli.records import TopicReader
from outdial_contracts.events import ClearanceClosed, ComplianceBlocked, ComplianceCleared
from outdial_runtime.clock import SystemClock
from tests.integration.races import people, runners
from tests.integration.races.clients import Clients, seconds_between
from tests.integration.races.ground import Ground, Storm
from tests.integration.races.history import Closed, History, Race, Redemption
from tests.integration.races.people import Person
from tests.integration.races.runners import CAMPAIGNS, FIFTY, OPT_OUTS, Track
from tests.integration.races.wire import Wire

QUIET_SECONDS = 120.0
EXPORT_SECONDS = 60.0
VERIFY_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of each race; 0 leaves it out."""

    attempts: int
    redeemers: int
    crowd: int
    """People whom eight campaigns want."""
    rounds: int
    """Offers of each of them for each person."""
    opting_out: int
    """People with two numbers, hence attempts are twice as many."""
    replica_kills: int
    database_kills: int
    """Of each race, where it lasts so long."""


SMALL = Size(attempts=40, redeemers=50, crowd=12, rounds=2, opting_out=60, replica_kills=2, database_kills=1)
FULL = Size(attempts=50, redeemers=50, crowd=40, rounds=4, opting_out=500, replica_kills=6, database_kills=3)


def run(ground: Ground, size: Size, seed: int, say: Callable[[str], None]) -> History:
    """Runs all of it on a ground that is running; what was seen."""
    seen = History()
    asyncio.run(_race(ground, size, seed, say, seen))
    _quiet(ground, seen)
    collect(ground, seen)
    return seen


async def _race(ground: Ground, size: Size, seed: int, say: Callable[[str], None], seen: History) -> None:
    assert ground.clock.start is not None
    clock = SystemClock(datetime.fromisoformat(ground.clock.start), ground.clock.origin_seconds)
    racers, crowd, opting_out = _people(size)
    with Wire(ground.bootstrap, ground.prefix) as wire:
        async with Clients(ground.grpc, ground.http, clock, seen) as clients:
            track = Track(wire=wire, clients=clients, seen=seen, seed=seed)
            for campaign in (FIFTY, *CAMPAIGNS, OPT_OUTS):
                for event in people.published(campaign, clock.now()):
                    wire.send(event)
            held = partial(_within, ground, track, size, say)
            fifty = await runners.clear_all(track, Race.FIFTY, FIFTY, racers)
            await held("fifty", runners.fifty_redeemers(track, fifty, size.redeemers))
            await held("campaigns", runners.eight_campaigns(track, crowd, size.rounds))
            cleared = await runners.clear_all(track, Race.OPT_OUTS, OPT_OUTS, opting_out)
            await held("opt-outs", runners.opt_outs(track, cleared))
            await asyncio.to_thread(ground.wait_ready)
        assert not wire.failures, wire.failures


async def _within(
    ground: Ground, track: Track, size: Size, say: Callable[[str], None], name: str, race: Awaitable[None]
) -> None:
    """A race with its storm."""
    began = time.monotonic()
    with Storm(ground, track.chance(f"storm:{name}"), size.replica_kills, size.database_kills, say) as made:
        await race
    track.seen.faults += made.killed
    say(f"{name}: {time.monotonic() - began:.1f} s, killed {len(made.killed)} times")


def _people(size: Size) -> tuple[list[Person], list[Person], list[Person]]:
    """Of each race its own; in the crowd a second number is the next person's first."""
    source = numbers()
    racers = [
        Person(name=f"racer-{n}", numbers=(number,), state=state) for n, number, state in _some(source, size.attempts)
    ]
    row = [(number, state) for _, number, state in _some(source, size.crowd + 1)]
    crowd = [
        Person(name=f"wanted-{n}", numbers=(mine, another), state=state)
        for n, ((mine, state), (another, _)) in enumerate(pairwise(row))
    ]
    opting_out = [
        Person(name=f"asking-{n}", numbers=(number, next(source)[0]), state=state)
        for n, number, state in _some(source, size.opting_out)
    ]
    return racers, crowd, opting_out


def _some(source: Iterator[tuple[str, str]], count: int) -> Iterator[tuple[int, str, str]]:
    for n in range(count):
        number, state = next(source)
        yield n, number, state


def _quiet(ground: Ground, seen: History) -> None:
    """Until no offer is open at the gate, every disposition is in its books and its outbox is empty."""
    deadline = time.monotonic() + QUIET_SECONDS
    disposed = {one.attempt_id for one in seen.disposed}
    while time.monotonic() < deadline:
        busy = run_sql(
            ground.dsn,
            """SELECT (SELECT count(*) FROM clearances WHERE state = 'RESERVED') + (SELECT count(*) FROM outbox)""",
        )
        still_open = set(run_sql(ground.dsn, "SELECT attempt_id FROM open_attempts").split())
        undecided = seen.offered.keys() - set(run_sql(ground.dsn, "SELECT attempt_id FROM clearances").split())
        if int(busy) == 0 and not still_open & disposed and not undecided:
            return
        time.sleep(0.5)


def collect(ground: Ground, seen: History) -> None:
    """The database's tables, the topics and the ledger, as they stand."""
    assert ground.clock.start is not None
    start, origin = datetime.fromisoformat(ground.clock.start), ground.clock.origin_seconds
    seen.states = {row["attempt_id"]: row["state"] for row in _rows(ground, "SELECT attempt_id, state FROM clearances")}
    seen.redemptions = [
        Redemption(
            attempt_id=row["attempt_id"],
            granted=row["granted"],
            record=row["record_name"],
            at=origin + seconds_between(start, datetime.fromisoformat(row["answered_at"])),
            reasons=tuple(row["reasons"]),
        )
        for row in _rows(ground, "SELECT * FROM redemptions")
    ]
    seen.charged = {row["attempt_id"]: row["charged"] for row in _rows(ground, "SELECT * FROM attempts")}
    seen.suppressions = frozenset(row["suppression_id"] for row in _rows(ground, "SELECT * FROM suppressions"))
    ledger = "SELECT chain_id || ':' || seq AS name, attempt_id FROM ledger_records WHERE kind = 'REDEMPTION'"
    seen.ledger = {row["name"]: row["attempt_id"] for row in _rows(ground, ledger)}
    seen.ledger_failure = _verify(ground)
    _collect_topics(ground, seen)


def _collect_topics(ground: Ground, seen: History) -> None:
    kinds = (ComplianceCleared, ComplianceBlocked, ClearanceClosed)
    found = TopicReader(ground.bootstrap, ground.prefix).read([kind.TOPIC for kind in kinds])
    cleared, blocked, closed = (found[kind.TOPIC] for kind in kinds)
    seen.cleared = frozenset(r.event.attempt_id for r in cleared if isinstance(r.event, ComplianceCleared))
    seen.blocked = frozenset(r.event.attempt_id for r in blocked if isinstance(r.event, ComplianceBlocked))
    seen.closed = [
        Closed(attempt_id=r.event.attempt_id, outcome=r.event.outcome.value, ce_id=r.ce_id)
        for r in closed
        if isinstance(r.event, ClearanceClosed)
    ]


def _rows(ground: Ground, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        run_sql(ground.dsn, f"SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM ({query}) t")
    )
    return rows


def _verify(ground: Ground) -> str:
    """The exported ledger through the gate's offline verifier; what it says when the ledger does not hold."""
    path: Path = ground.folder / "ledger.jsonl"
    with urllib.request.urlopen(f"{ground.http[0]}/v1/ledger/export", timeout=EXPORT_SECONDS) as reply:
        path.write_bytes(reply.read())
    done = subprocess.run(
        [str(ground.tool), "ledger", "verify", str(path), "--jwks", str(ground.jwks)],
        capture_output=True,
        text=True,
        timeout=VERIFY_SECONDS,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()[-500:] or f"exit {done.returncode}"
