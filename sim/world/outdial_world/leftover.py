"""What is still to be done at an instant, and what is left at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compliance_gate.domain.clearance import State
from outdial_runtime.broker import TopicPartition
from outdial_runtime.service import Read
from outdial_world.history import FinalState

if TYPE_CHECKING:
    from outdial_world.world import World


def leftover(world: World) -> list[str]:
    """One sentence for each thing that is still to be done; empty: the world has drained."""
    return [
        *_undelivered(world),
        *_outboxes(world),
        *_at_the_gate(world),
        *_at_disposition(world),
        *_live(world),
        *_owed(world),
    ]


def final_state(world: World) -> FinalState:
    """Stores, teams, standings, and what nobody has read."""
    final = FinalState()
    for service, database in world.databases.items():
        tables = list(database.tables.values())
        final.stores[service] = tables[0] if len(tables) == 1 else dict(database.tables)
        final.outboxes[service] = len(database.rows.waiting)
    for process in world.processes.values():
        if process.deps is None:
            continue
        if process.service == "pacer":
            final.teams |= {state.team_id: state for _, state in process.deps.owned.teams()}
        elif process.service == "media-gateway":
            final.standings[process.instance] = process.deps.standing
    final.undelivered = dict(lag(world))
    return final


def lag(world: World) -> list[tuple[str, int]]:
    """(`service/topic`, records that its group has not committed) where there are any."""
    found: dict[str, int] = {}
    log = world.broker.log
    for process in world.processes.values():
        for event, subscription in process.definition.subscriptions.items():
            if subscription.read is not Read.GROUP:
                continue
            committed = world.broker.group(process.service).committed
            sources = [TopicPartition(event.TOPIC, n) for n in range(log.counts()[event.TOPIC])]
            behind = sum(log.end(source) - committed.get(source, 0) for source in sources)
            if behind:
                found[f"{process.service}/{event.TOPIC}"] = behind
    return list(found.items())


QUIET_TOPICS = frozenset({"agent.state", "agent.leg", "gateway.capacity"})
"""Heartbeats: there is always one on its way."""


def _undelivered(world: World) -> list[str]:
    behind = [(name, n) for name, n in lag(world) if name.partition("/")[2] not in QUIET_TOPICS]
    return [f"{n} records of {name} are not handled" for name, n in behind]


def _outboxes(world: World) -> list[str]:
    waiting = {service: len(database.rows.waiting) for service, database in world.databases.items()}
    return [f"{n} events of {service} are not relayed" for service, n in waiting.items() if n]


def _at_the_gate(world: World) -> list[str]:
    tables = world.databases["compliance-gate"].tables.get("gate")
    if tables is None:
        return ["the gate never began"]
    reserved = [a for a, c in tables.clearances.items() if c.state is State.RESERVED]
    return [f"offer {a} is open at the gate" for a in reserved] + [
        f"attempt {a} is open at the gate" for a in tables.open_ids
    ]


def _at_disposition(world: World) -> list[str]:
    tables = world.databases["disposition"].tables.get("disposition")
    records = tables.records if tables is not None else {}
    return [f"attempt {a} waits for its disposition" for a, r in records.items() if r.deadline_at is not None]


def _owed(world: World) -> list[str]:
    return [f"{a.agent_id} has not wrapped up {a.owed}" for a in world.agents if a.owed]


def _live(world: World) -> list[str]:
    found: list[str] = []
    for process in world.processes.values():
        deps: Any = process.deps
        if deps is None or not process.life.alive:
            continue
        if process.service == "media-gateway":
            found += [f"call {attempt_id} lives on {process.instance}" for attempt_id in deps.standing.calls]
        if process.service == "pacer":
            for _, state in deps.owned.teams():
                found += [f"offer {a} waits at the pacer" for a in state.offers]
                found += [f"call {a} lives at the pacer" for a in state.calls]
    return found
