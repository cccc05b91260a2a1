"""Every consumer the same on a second run of its inputs: all of it is delivered again, and nothing may change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from outdial_contracts.headers import read_headers
from outdial_world.leftover import leftover

if TYPE_CHECKING:
    from outdial_world.world import World

EVERYTHING = 10**9
PATIENCE_SECONDS = 120
EFFECTS = frozenset(
    {
        "lead.ready",
        "lead.state",
        "compliance.cleared",
        "compliance.blocked",
        "clearance.closed",
        "call.dial",
        "call.disposition",
        "suppression.changed",
        "offer.returned",
        "pacing.demand",
    }
)
"""Topics on which a second run may repeat ids but not make new ones."""
TABLES: Mapping[str, tuple[str, ...]] = {
    "leads": ("leads", "offers", "persons", "tokens", "documents", "states", "stops"),
    "gate": ("clearances", "answers", "open_ids", "facts", "held", "suppressed", "drops"),
    "disposition": ("records",),
    "facts": ("facts", "ends"),
    "windows": ("attempts", "states"),
    "marks": (),
}
MOST_TOLD = 20


async def run_again(world: World) -> list[str]:
    """Delivers every group's inputs again; one sentence for each difference."""
    ids, tables = set(_effects(world)), dict(_rows(world))
    for process in list(world.processes.values()):
        process.broker.forget_commits(EVERYTHING)
    for _ in range(PATIENCE_SECONDS):
        await asyncio.sleep(1.0)
        if not leftover(world):
            break
    found = [f"left to do after the second run: {sentence}" for sentence in leftover(world)]
    found += [f"a second run makes a new {topic} ({subject})" for (topic, subject, _) in _new(_effects(world), ids)]
    after = dict(_rows(world))
    found += [
        f"a second run changes {name}: {_difference(tables.get(name, ''), after[name])}"
        for name in after
        if after[name] != tables.get(name)
    ]
    found += [f"a second run loses {name}" for name in tables if name not in after]
    return found[:MOST_TOLD]


def _difference(before: str, after: str) -> str:
    """What of a row as text is new; never a number, as rows of dialled persons hold some."""
    known = set(before.split(", "))
    fields = [part for part in after.split(", ") if part not in known]
    return ", ".join(part for part in fields if "+" not in part) if before else "a new row"


def _new(effects: Iterator[tuple[str, str, str]], known: set[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [effect for effect in dict.fromkeys(effects) if effect not in known]


def _effects(world: World) -> Iterator[tuple[str, str, str]]:
    """(topic, key, ce_id)."""
    for topic in sorted(EFFECTS):
        for message in world.broker.log.messages(topic):
            yield topic, (message.key or b"").decode(), read_headers(message.headers).id


def _rows(world: World) -> Iterator[tuple[str, str]]:
    """`service.table[key]` -> its row as text."""
    say: Callable[[Any], str] = repr
    for service, database in world.databases.items():
        for name, store in database.tables.items():
            for table in TABLES[name]:
                for key, row in vars(store)[table].items():
                    yield f"{service}.{table}[{key}]", say(row)
