"""Planned faults are done to the world when their time comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from outdial_world.faults import Fault, Planned
from outdial_world.life import Trap
from outdial_world.process import Process

if TYPE_CHECKING:
    from outdial_world.world import World

TRAP_SECONDS = 30.0
"""A crash whose step does not come for so long happens wherever the process then is."""
RESTORING_SECONDS = 3.0
REPLICA_SECONDS = 12.0
"""How long a second replica stays at least."""


class Inflicting:
    """Schedules and does them; `calm` ends it."""

    def __init__(self, world: World, occurrences: list[Planned]) -> None:
        self._world = world
        self._over = False
        loop = asyncio.get_running_loop()
        self._timers = [loop.call_later(p.at_seconds, self._inflict, p) for p in occurrences]
        self._timers += [
            loop.call_later(max(p.at_seconds - p.seconds, 0.0), self._back_up, p)
            for p in occurrences
            if p.kind is Fault.RESTORE
        ]
        self._backups: dict[str, Callable[[], None]] = {}
        self._traps: dict[str, Planned] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._over = True
        for timer in self._timers:
            timer.cancel()
        for process in self._world.processes.values():
            process.life.trap = None

    def away_seconds(self, number: str) -> float:
        """How long a process that crashed stays away."""
        planned = self._traps.get(number)
        return planned.seconds if planned else 1.0

    def _inflict(self, planned: Planned) -> None:
        if self._over:
            return
        process = self._world.processes[f"{planned.target}-0"]
        match planned.kind:
            case Fault.CRASH:
                self._crash(planned, process)
            case Fault.STOP:
                self._begin(self._stop(planned, process))
            case Fault.STALL:
                self._stall(planned, process)
            case Fault.REBALANCE:
                self._begin(self._replica(planned, planned.seconds))
            case Fault.LOST_COMMIT:
                if process.life.alive:
                    lost = process.broker.forget_commits(planned.amount)
                    self._note(planned, detail=f"{lost} records come again")
            case Fault.DELAY:
                self._delay(planned)
            case Fault.AWAY:
                self._world.set_away(planned.target, planned.seconds)
                self._note(planned, lasting=True)
            case Fault.DATABASE:
                self._world.databases[planned.target].turn_off(planned.seconds)
                self._note(planned, lasting=True)
            case Fault.RESTORE:
                self._restore(planned)
            case _:
                raise ValueError(f"{planned.kind} can't be planned")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    def _crash(self, planned: Planned, process: Process) -> None:
        self._traps[planned.number] = planned
        if not process.life.alive:
            return
        if planned.step is None:
            process.life.crash(planned.number, "while it waited")
            return
        life = process.life
        process.set_trap(Trap(number=planned.number, step=planned.step, skip=planned.amount))
        asyncio.get_running_loop().call_later(TRAP_SECONDS, self._spring, planned, process, life.boot)

    def _spring(self, planned: Planned, process: Process, boot: int) -> None:
        trap = process.life.trap
        if not self._over and process.life.boot == boot and trap is not None and trap.number == planned.number:
            process.life.crash(planned.number, "while it waited")

    async def _stop(self, planned: Planned, process: Process) -> None:
        if not process.life.alive:
            return
        self._note(planned)
        process.stop()
        await process.ended()
        process.begin_later(planned.seconds)

    def _stall(self, planned: Planned, process: Process) -> None:
        """Others take over meanwhile."""
        if not process.life.alive:
            return
        process.life.stalled_until = asyncio.get_running_loop().time() + planned.seconds
        process.broker.silent()
        self._note(planned, lasting=True)
        self._begin(self._replica(planned, planned.seconds + REPLICA_SECONDS))

    async def _replica(self, planned: Planned, seconds: float) -> None:
        world, instance = self._world, f"{planned.target}-1"
        if instance in world.processes:
            return
        if planned.kind is Fault.REBALANCE:
            self._note(planned, lasting=True)
        replica = world.processes[instance] = Process(world, planned.target, 1)
        await asyncio.sleep(max(seconds, REPLICA_SECONDS))
        replica.wanted = False
        replica.stop()
        await replica.ended()
        del world.processes[instance]

    def _restore(self, planned: Planned) -> None:
        """The backup was taken a while before; the database is away while it is put back, and its clients with it."""
        database, rewind = self._world.databases[planned.target], self._backups[planned.number]
        rewind()
        database.turn_off(RESTORING_SECONDS)
        for process in self._world.processes.values():
            if process.service == planned.target and process.life.alive:
                process.life.crash(planned.number, "its database was restored")
        self._world.restored(planned.target, self._world.clock.now() - timedelta(seconds=planned.seconds))
        self._note(planned, detail=f"back to {planned.seconds:.1f} s before")

    def _back_up(self, planned: Planned) -> None:
        self._backups[planned.number] = self._world.databases[planned.target].back_up()

    def _delay(self, planned: Planned) -> None:
        delays = self._world.weather.delays
        delays.append(planned)
        self._note(planned, lasting=True)
        asyncio.get_running_loop().call_later(planned.seconds * 2, delays.remove, planned)

    def _note(self, planned: Planned, *, lasting: bool = False, detail: str = "") -> None:
        until = self._world.clock.now() + timedelta(seconds=planned.seconds) if lasting else None
        target = f"{planned.target} {planned.topic}".strip()
        self._world.note_fault(planned.number, planned.kind, target, detail, until)
