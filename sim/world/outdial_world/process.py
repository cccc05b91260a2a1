"""One process of a service: started, crashed, stopped and started again; its memory dies with each boot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from outdial_runtime.config import RunConfig
from outdial_runtime.host import Host
from outdial_runtime.logs import where
from outdial_runtime.requests import Requests
from outdial_runtime.service import Service
from outdial_world.history import ProcessChange
from outdial_world.life import Life, Trap
from outdial_world.services import definition
from outdial_world.spans import QuietMetrics, QuietSpans
from outdial_world.stores import DatabaseAway
from outdial_world.wire import ProcessBroker

if TYPE_CHECKING:
    from outdial_world.world import World

RESTART_SECONDS = 1.5
"""A supervisor's pause after a fault."""
LONGEST_POLL_SECONDS = 30.0
READY_EVERY_SECONDS = 0.02


class Process:
    """A place where boots of one replica live, one after the other."""

    def __init__(self, world: World, service: str, ordinal: int) -> None:
        self.service, self.ordinal = service, ordinal
        self.instance = f"{service}-{ordinal}"
        self.wanted = True
        """Whether it is to be started again when it ends."""
        self.life: Life
        self.host: Host
        self.broker: ProcessBroker
        self.definition: Service
        self.on_death: list[Callable[[], Any]] = []
        """What makes this boot's ports deaf and dumb."""
        self._world = world
        self._stop = asyncio.Event()
        self._serving: list[asyncio.Task[Any]] = []
        self._task: asyncio.Task[None] | None = None
        self.begin()

    @property
    def serves(self) -> bool:
        """Whether its servers are open."""
        return self.life.alive and self._running and self.host.requests is not None

    @property
    def ready(self) -> bool:
        """What /readyz says."""
        return self.life.alive and self._running and self.host.health.not_ready() is None

    @property
    def requests(self) -> Requests:
        """Its open servers."""
        assert self.host.requests is not None
        return self.host.requests

    @property
    def deps(self) -> Any:
        """The service's own record of ports."""
        return self.host.deps

    def begin(self) -> None:
        """A new boot."""
        world = self._world
        boot = world.next_boot(self.instance)
        self.life = life = Life(self.service, self.instance, boot, self._on_crash)
        self.broker = ProcessBroker(world.broker, life, world.weather)
        self.definition = definition(world, self)
        self._stop = asyncio.Event()
        self.host = Host(
            self.definition,
            RunConfig(service_name=self.service, kafka_bootstrap="world", ordinal=self.ordinal),
            self.broker,
            clock=world.clock,
            chance=world.draws.chance(f"{self.instance}/{boot}"),
            spans=QuietSpans(),
            longest_poll_seconds=LONGEST_POLL_SECONDS,
            metrics=QuietMetrics(),
        )
        world.note_process(self, ProcessChange.STARTED)
        self._task = asyncio.create_task(self._run(life, self.host, self._stop))
        self._task.add_done_callback(lambda _: None)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A request in hand: it dies with the process."""
        task = asyncio.create_task(work)
        self._serving = [t for t in self._serving if not t.done()] + [task]
        return task

    def dies(self) -> None:
        """From here on its ports reach nobody."""
        for silence in self.on_death:
            silence()
        self.on_death = []

    def set_trap(self, trap: Trap) -> None:
        """It dies at a step to come."""
        self.life.trap = trap

    def stop(self) -> None:
        """SIGTERM."""
        self._stop.set()

    def kill(self) -> None:
        """The run is over."""
        self.life.alive = False
        self._cut_requests()
        if self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Returns once this boot is over."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def note_failed_request(self, method: str, error: Exception) -> None:
        """A request's handler raised; a database that is away explains it."""
        if not _explained(error):
            self._world.unexplained.append(f"{self.instance} {method}: {where(error)}")

    @property
    def _running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _run(self, life: Life, host: Host, stop: asyncio.Event) -> None:
        world = self._world
        ready = asyncio.create_task(self._say_ready(life, host))
        try:
            await host.run(stop)
        except asyncio.CancelledError:
            return
        except Exception as error:
            if life.alive:
                self._failed(life, error)
        else:
            if life.alive:
                life.alive = False
                world.note_process(self, ProcessChange.STOPPED)
        finally:
            ready.cancel()

    def _failed(self, life: Life, error: Exception) -> None:
        life.alive = False
        self._cut_requests()
        self._world.note_process(self, ProcessChange.FAILED, where(error))
        if not _explained(error):
            self._world.unexplained.append(f"{self.instance} failed: {where(error)}")
        self.begin_later(RESTART_SECONDS)

    def begin_later(self, seconds: float) -> None:
        """Started again after a pause, unless it is not wanted any more."""
        asyncio.get_running_loop().call_later(seconds, self._begin_if_wanted)

    def _begin_if_wanted(self) -> None:
        if self.wanted and not self.life.alive:
            self.begin()

    async def _say_ready(self, life: Life, host: Host) -> None:
        while host.health.not_ready() is not None:  # noqa: ASYNC110 (health is asked, it tells nobody)
            await asyncio.sleep(READY_EVERY_SECONDS)
        if life.alive:
            self._world.note_process(self, ProcessChange.READY)

    def _on_crash(self, life: Life, number: str, where_: str) -> None:
        """Nothing that is torn down from here on has any effect."""
        self._world.note_process(self, ProcessChange.CRASHED, f"{number} {where_}".strip())
        self._world.note_crash(self, number, where_)
        self.broker.silent()
        self.dies()
        self._cut_requests()
        if self._task is not None:
            self._task.cancel()

    def _cut_requests(self) -> None:
        for task in self._serving:
            task.cancel()
        self._serving = []


def _explained(error: BaseException) -> bool:
    """Whether a database that was away is at the bottom of it."""
    if isinstance(error, DatabaseAway):
        return True
    if isinstance(error, BaseExceptionGroup):
        return all(_explained(e) for e in error.exceptions)
    cause = error.__cause__ or error.__context__
    return cause is not None and _explained(cause)
