"""What goes wrong in a run, and when: everything follows from the seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from outdial_cli.stack.layout import SERVICES, process_name
from tests.integration.storm.faults import (
    Drain,
    Fault,
    FullDisk,
    Kill,
    Partition,
    Pause,
    Rebalances,
    Skew,
    SlowBroker,
    SlowDatabase,
)

FIRST_AT_SECONDS = 8.0
PAUSE_SECONDS = (3.0, 20.0)
GATE, ROUTER, GATEWAY = "compliance-gate", "lead-router", "media-gateway"
INFRA = ("kafka", "postgres")
WITHOUT_THEM_NO_INVITE = frozenset({GATE, "postgres"})
REBALANCED = (ROUTER, GATE, "pacer", "disposition", "analytics", "console")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A fault and its time, seconds from the run's start; the run may be behind its plan, never ahead."""

    at: float
    fault: Fault


def schedule(
    seed: int, seconds: float, replicas: int = 1, *, small: bool = False, services_only: bool = False
) -> list[Planned]:
    """The faults of a run. `small`: for a stack that others share, without full disks and partitions.

    `services_only`: broker and database are somebody else's.
    """
    chance = random.Random(f"storm:{seed}:{replicas}:{small}")
    planned: list[Planned] = []
    at = FIRST_AT_SECONDS
    for draw in _deck(chance, replicas, small=small, services_only=services_only):
        if at >= seconds:
            return planned
        fault = draw(chance, replicas)
        planned.append(Planned(at=round(at, 1), fault=fault))
        at += fault.seconds + chance.uniform(4.0, 9.0)
    raise AssertionError("the deck never ends")


Draw = Callable[[random.Random, int], Fault]


def _deck(chance: random.Random, replicas: int, *, small: bool, services_only: bool) -> Iterator[Draw]:
    """Cards for ever: each deck is shuffled and dealt to its end, so that twenty seeds see every card."""
    deck: list[Draw] = [_kill, _kill, _kill, _drain, _drain, _pause, _pause]
    if not services_only:
        deck += [_burst, _kill_broker, _kill_database]
    if replicas > 1:
        deck += [_rebalances] * 6
    elif not small:
        deck += [_pause_broker, _pause_database, _slow_database, _slow_broker]
        deck += [_full_broker, _full_database, _skew, _partition, _partition]
    while True:
        chance.shuffle(deck)
        yield from deck


def _kill(chance: random.Random, replicas: int) -> Fault:
    return _killed((_process(chance, replicas),), chance.uniform(0.3, 5.0), replicas)


def _burst(chance: random.Random, replicas: int) -> Fault:
    names = [process_name(service, chance.randrange(replicas)) for service in SERVICES]
    return _killed(tuple(chance.sample([*names, *INFRA], chance.randint(2, 4))), chance.uniform(0.3, 3.0), replicas)


def _kill_broker(chance: random.Random, replicas: int) -> Fault:
    return _killed(("kafka",), chance.uniform(0.3, 8.0), replicas)


def _kill_database(chance: random.Random, replicas: int) -> Fault:
    return _killed(("postgres",), chance.uniform(0.3, 8.0), replicas)


def _killed(names: tuple[str, ...], seconds: float, replicas: int) -> Fault:
    return Kill(names=names, seconds=round(seconds, 1), shuts=_shuts(names, replicas))


def _drain(chance: random.Random, replicas: int) -> Fault:
    return Drain(name=_process(chance, replicas))


def _pause(chance: random.Random, replicas: int) -> Fault:
    return _paused(_process(chance, replicas), chance, replicas)


def _pause_broker(chance: random.Random, replicas: int) -> Fault:
    return _paused("kafka", chance, replicas)


def _pause_database(chance: random.Random, replicas: int) -> Fault:
    return _paused("postgres", chance, replicas)


def _paused(name: str, chance: random.Random, replicas: int) -> Fault:
    return Pause(name=name, seconds=round(chance.uniform(*PAUSE_SECONDS), 1), shuts=_shuts((name,), replicas))


def _slow_database(chance: random.Random, replicas: int) -> Fault:
    return SlowDatabase(seconds=round(chance.uniform(8.0, 15.0), 1))


def _slow_broker(chance: random.Random, replicas: int) -> Fault:
    return SlowBroker(seconds=round(chance.uniform(8.0, 15.0), 1))


def _full_broker(chance: random.Random, replicas: int) -> Fault:
    return FullDisk(name="kafka", seconds=round(chance.uniform(5.0, 10.0), 1))


def _full_database(chance: random.Random, replicas: int) -> Fault:
    return FullDisk(name="postgres", seconds=round(chance.uniform(5.0, 10.0), 1))


def _skew(chance: random.Random, replicas: int) -> Fault:
    offset = chance.choice((-1.0, 1.0)) * chance.uniform(4.0, 30.0)
    return Skew(name=chance.choice((GATE, GATEWAY)), offset_seconds=round(offset, 1), seconds=12.0)


def _partition(chance: random.Random, replicas: int) -> Fault:
    return Partition(black_hole=chance.random() < 0.5, seconds=round(chance.uniform(3.0, 10.0), 1))


def _rebalances(chance: random.Random, replicas: int) -> Fault:
    service = chance.choice(REBALANCED)
    names = [process_name(service, ordinal) for ordinal in range(replicas)]
    order = tuple(chance.choice(names) for _ in range(chance.randint(3, 5)))
    return Rebalances(service=service, order=order, between_seconds=round(chance.uniform(0.2, 2.0), 1))


def _process(chance: random.Random, replicas: int) -> str:
    return process_name(chance.choice(SERVICES), chance.randrange(replicas))


def _shuts(names: tuple[str, ...], replicas: int) -> bool:
    """Whether nothing may be dialled while these are away."""
    return "postgres" in names or (replicas == 1 and not WITHOUT_THEM_NO_INVITE.isdisjoint(names))
