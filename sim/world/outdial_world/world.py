"""One run: all services, all people, every fault of a seed, in one process and in virtual time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from outdial_contracts.events import LeadReady
from outdial_runtime.broker import TopicPartition
from outdial_testing.memory_broker import MemoryBroker
from outdial_world.agents import Agent
from outdial_world.campaign import AGENTS, HOUR_SECONDS, OFFERS, REDEEMED, leads
from outdial_world.chance import Draws
from outdial_world.crm import Crm
from outdial_world.faults import SERVICES, STORES, Choice, Fault, plan
from outdial_world.history import FaultEvent, History, ProcessChange, ProcessEvent, WorldEvent
from outdial_world.inflicting import Inflicting
from outdial_world.leftover import final_state, leftover
from outdial_world.loop import LoopClock, WorldLoop
from outdial_world.net import Net
from outdial_world.ops import Operations
from outdial_world.ports.air import Air
from outdial_world.ports.callees import draw_plan
from outdial_world.ports.carrier import Carrier
from outdial_world.ports.phones import WorldPhones
from outdial_world.process import Process
from outdial_world.recording import committed_records
from outdial_world.second_run import run_again
from outdial_world.stores import Database
from outdial_world.weather import Weather

STEP_SECONDS = 1.0
DRAIN_SECONDS = 400.0
"""Longer than the longest a thing may wait: a wrap-up of 60 s, a deadline, a lease."""
QUIET_SECONDS = 60.0
"""Without a new offer for so long, there are no more leads to offer."""


class World:
    """Everything of one run; `history` is what it leaves behind."""

    def __init__(self, loop: WorldLoop, seed: int, choice: Choice) -> None:
        self.clock = LoopClock(loop)
        self.draws = Draws(seed)
        self.choice = choice
        now = self.clock.now()
        self.history = History(seed=seed, started_at=now, ended_at=now, drained=False)
        self.weather = Weather(self.draws, choice, self.note_fault)
        self.broker = MemoryBroker(self.clock, delay=self.weather.delivery_seconds)
        self.databases = {service: Database(service, self.clock, self.weather) for service in STORES}
        self.net = Net(self)
        self.air = Air()
        self.carrier = Carrier(
            self.air,
            plan_of=lambda call_id, number: draw_plan(self.draws.stream(f"callee/{call_id}")),
            persons=self.history.persons,
            now=self.clock.now,
            next_seq=self.next_seq,
            tell=self.note_person,
        )
        self.history.invites = self.carrier.invites
        self.phones: dict[str, WorldPhones] = {}
        """Gateway instance -> where agents' phones call, while it lives."""
        self.processes: dict[str, Process] = {}
        self.unexplained: list[str] = []
        """Faults of processes and requests that nothing of ours explains: bugs."""
        self.left: list[str] = []
        """What was still to be done at the end."""
        self.agents: list[Agent] = []
        self._away: dict[str, float] = {}
        self._turns: dict[str, int] = {}
        self._boots: dict[str, int] = {}
        self._inflicting: Inflicting | None = None
        self._people: list[asyncio.Task[None]] = []
        self._crm: Crm | None = None

    async def run(self) -> History:
        """The campaign-hour, and what is left of it."""
        for service in SERVICES:
            self.processes[f"{service}-0"] = Process(self, service, 0)
        await self._until(self._all_ready, 60.0)
        people = leads(self.draws)
        self.history.persons.update({n: lead.person_id for lead in people for n in (lead.phone, lead.phone_2) if n})
        operations = Operations(self)
        crm = self._crm = Crm(self, people)
        await operations.publish()
        self.agents = [Agent(self, f"a-{n:02d}") for n in range(1, AGENTS + 1)]
        self._people = [asyncio.create_task(agent.run()) for agent in self.agents]
        self._people += [asyncio.create_task(crm.run()), asyncio.create_task(operations.run())]
        self._inflicting = Inflicting(self, plan(self.draws, self.choice))
        await self._until(lambda: self._enough(crm), HOUR_SECONDS - DRAIN_SECONDS)
        await operations.stop()
        self._calm()
        drained = await self._until(lambda: self._all_ready() and not leftover(self), DRAIN_SECONDS)
        self.left = leftover(self)
        self._conclude(drained)
        if drained:
            self.history.second_run = await run_again(self)
        await self._tear_down()
        return self.history

    def next_seq(self) -> int:
        """Orders what happens."""
        return self.broker.log.next_seq()

    def next_boot(self, instance: str) -> int:
        """Boots of an instance count on, also when its replica was gone in between: a boot's chance is its own."""
        number = self._boots[instance] = self._boots.get(instance, 0) + 1
        return number

    def note_process(self, process: Process, change: ProcessChange, detail: str = "") -> None:
        """A process came or went."""
        self.history.processes.append(
            ProcessEvent(
                seq=self.next_seq(),
                at=self.clock.now(),
                service=process.service,
                instance=process.instance,
                change=change,
                detail=detail,
            )
        )

    def note_crash(self, process: Process, number: str, where: str) -> None:
        """A planned crash happened; the process comes back after a while."""
        self.note_fault(number, Fault.CRASH, process.instance, where)
        seconds = self._inflicting.away_seconds(number) if self._inflicting else 1.0
        process.begin_later(seconds)

    def note_fault(
        self, number: str, kind: Fault, target: str, detail: str = "", until: datetime | None = None
    ) -> None:
        """A fault was inflicted."""
        self.history.faults.append(
            FaultEvent(
                seq=self.next_seq(),
                number=number,
                kind=kind.value,
                at=self.clock.now(),
                until=until,
                target=target,
                detail=detail,
            )
        )

    def note_person(self, who: str, what: str, attempt_id: str = "", person_id: str = "") -> None:
        """Somebody did something."""
        self.history.people.append(
            WorldEvent(
                seq=self.next_seq(),
                at=self.clock.now(),
                who=who,
                what=what,
                attempt_id=attempt_id,
                person_id=person_id,
            )
        )

    def find_by_address(self, address: str) -> Process | None:
        """`pacer-0:7000` is one replica, `compliance-gate:7000` any that serves."""
        name = address.partition(":")[0]
        return self.processes[name] if name in self.processes else self.find_by_service(name)

    def find_by_service(self, service: str) -> Process | None:
        """The replicas take turns."""
        serving = [p for p in self.processes.values() if p.service == service and p.serves]
        turn = self._turns[service] = self._turns.get(service, 0) + 1
        return serving[turn % len(serving)] if serving else None

    def phones_up(self) -> WorldPhones | None:
        """A gateway for an agent's phone."""
        return next(iter(self.phones.values()), None)

    def is_away(self, service: str) -> bool:
        """Whether it can't be reached."""
        return asyncio.get_running_loop().time() < self._away.get(service, 0.0)

    def set_away(self, service: str, seconds: float) -> None:
        """It can't be reached for so long."""
        self._away[service] = asyncio.get_running_loop().time() + seconds

    def _enough(self, crm: Crm) -> bool:
        """Two hundred offers are made (more while the gate is away for them), or nobody is left to be offered."""
        if crm.importing:
            return False
        tables = self.databases["lead-router"].tables.get("leads")
        gate = self.databases["compliance-gate"].tables.get("gate")
        redeemed = len(gate.facts) if gate is not None else 0
        offers = len(tables.offers) if tables is not None else 0
        if offers >= OFFERS and (redeemed >= REDEEMED or offers >= 2 * OFFERS):
            return True
        log = self.broker.log
        sources = [TopicPartition(LeadReady.TOPIC, n) for n in range(log.counts()[LeadReady.TOPIC])]
        newest = max((log.newest(source) for source in sources), default=None)
        quiet = newest is None or self.clock.now() - newest > timedelta(seconds=QUIET_SECONDS)
        return crm.done and quiet

    def restored(self, service: str, taken_at: datetime) -> None:
        """A service's database was set back; people do what the runbook asks of them."""
        self.history.restores.append((service, self.clock.now(), taken_at))
        if service == "lead-router" and self._crm is not None:
            self._people.append(asyncio.create_task(self._crm.import_again(taken_at)))

    def _all_ready(self) -> bool:
        return all(process.ready for process in self.processes.values())

    async def _until(self, holds: Any, seconds: float) -> bool:
        """Looks every second; False when it did not come about in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not holds():
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(STEP_SECONDS)
            self._raise_failure()
        return True

    def _raise_failure(self) -> None:
        """A person of the world who fails is a fault of the world's."""
        for task in self._people:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def _calm(self) -> None:
        if self._inflicting is not None:
            self._inflicting.calm()
        self.weather.calm()
        self._away.clear()
        for database in self.databases.values():
            database.away_until = 0.0

    def _conclude(self, drained: bool) -> None:
        self.history.ended_at = self.clock.now()
        self.history.drained = drained
        self.history.records = committed_records(self.broker.log)
        self.history.final = final_state(self)

    async def _tear_down(self) -> None:
        """Ends every task, so that nothing outlives the run."""
        for task in self._people:
            task.cancel()
        for process in self.processes.values():
            process.wanted = False
            process.kill()
        await asyncio.sleep(0.1)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


async def simulate(loop: WorldLoop, seed: int, choice: Choice) -> World:
    """Runs a seed."""
    world = World(loop, seed, choice)
    await world.run()
    return world
