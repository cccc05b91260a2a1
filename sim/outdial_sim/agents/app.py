"""`outdial-sim agents`: every agent of a scenario in one process on one loop, until told to stop or for a time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from outdial_sim.agents.agent import Agent, Clock, Desk, login_delay
from outdial_sim.agents.console_client import TIMEOUT, ConsoleClient
from outdial_sim.agents.phone import AgentPhone
from outdial_sim.carrier.line import open_rtp_socket
from outdial_sim.journal import Journal
from outdial_sim.scenario import Scenario
from outdial_sim.stopping import until_signalled
from outdial_sim.voices import Role, Voices
from outdial_sim.wire.rtp import FRAME_SECONDS

LEAVE_SECONDS = 3.0
LATE_TICKS_DROPPED_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class AgentsOptions:
    """What the command line says."""

    console_url: str
    team_id: str
    campaign_ids: list[str]
    prefix: str
    host: str
    log: Path
    duration_seconds: float | None = None


async def run(scenario: Scenario, voices: Voices, options: AgentsOptions) -> None:
    """Work until SIGINT, SIGTERM or the end of the duration, then sign everyone out."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(Journal(options.log))
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=options.console_url, timeout=TIMEOUT, limits=limits)
        )
        agents = await stack.enter_async_context(seated(scenario, voices, options, journal, http))
        await work(agents, scenario, _until_stopped(options.duration_seconds))


@asynccontextmanager
async def seated(
    scenario: Scenario, voices: Voices, options: AgentsOptions, journal: Journal, http: httpx.AsyncClient
) -> AsyncIterator[list[Agent]]:
    """All agents with their phones' sockets open; closes the sockets at the end."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    clock = Clock(loop_time=loop.time, wall_offset=time.time() - now, started_at=now, clock_start=scenario.clock_start)
    agents: list[Agent] = []
    try:
        for place in range(scenario.agents.count):
            agents.append(
                await _seat(f"{options.prefix}{place + 1:03d}", scenario, voices, options, journal, http, clock)
            )
        yield agents
    finally:
        for agent in agents:
            agent.phone.close()


async def work(agents: list[Agent], scenario: Scenario, stopped: asyncio.Future[None] | asyncio.Task[None]) -> None:
    """Run every agent until `stopped` is done, then let each leave. An agent the console refuses stops the run."""
    spread = scenario.agents.login_spread_seconds
    shifts = [
        asyncio.create_task(agent.run(login_delay(scenario.seed, agent.agent_id, spread)), name=agent.agent_id)
        for agent in agents
    ]
    media = asyncio.create_task(_media(agents))
    try:
        await asyncio.wait([stopped, media, *shifts], return_when=asyncio.FIRST_COMPLETED)
    finally:
        failures = [shift for shift in [media, *shifts] if shift.done() and not shift.cancelled()]
        for task in [stopped, *shifts]:
            task.cancel()
        await asyncio.gather(stopped, *shifts, return_exceptions=True)
        leaving = [asyncio.create_task(agent.leave()) for agent in agents]
        await asyncio.wait([*leaving, asyncio.create_task(asyncio.sleep(FRAME_SECONDS))], timeout=LEAVE_SECONDS)
        for task in [media, *leaving]:
            task.cancel()
        await asyncio.gather(media, *leaving, return_exceptions=True)
    for failure in failures:
        failure.result()


async def _seat(
    agent_id: str,
    scenario: Scenario,
    voices: Voices,
    options: AgentsOptions,
    journal: Journal,
    http: httpx.AsyncClient,
    clock: Clock,
) -> Agent:
    loop = asyncio.get_running_loop()
    speech = voices.pick(Role.AGENT_SPEECH, login_delay(scenario.seed, agent_id, 1.0))
    rtp_socket = open_rtp_socket(options.host)
    waiting: list[Agent] = []
    _, phone = await loop.create_datagram_endpoint(
        lambda: AgentPhone(
            rtp_socket,
            speech,
            on_leg=lambda up, reason: waiting[0].on_leg(up, reason),
            on_malformed=lambda rule: waiting[0].on_malformed(rule),
        ),
        local_addr=(options.host, 0),
    )
    agent = Agent(
        agent_id=agent_id,
        scenario=scenario,
        desk=Desk(team_id=options.team_id, campaign_ids=options.campaign_ids),
        console=ConsoleClient(http, agent_id),
        phone=phone,
        journal=journal,
        clock=clock,
    )
    waiting.append(agent)
    return agent


async def _media(agents: list[Agent]) -> None:
    """One 20 ms tick for every phone; ticks missed by much are dropped."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        now = loop.time()
        for agent in agents:
            agent.on_frame(now)
        due += FRAME_SECONDS
        if now - due > LATE_TICKS_DROPPED_SECONDS:
            due = now
        await asyncio.sleep(max(0.0, due - loop.time()))


def _until_stopped(duration_seconds: float | None) -> asyncio.Task[None]:
    async def wait() -> None:
        if duration_seconds is None:
            await until_signalled()
            return
        try:
            async with asyncio.timeout(duration_seconds):
                await until_signalled()
        except TimeoutError:
            return

    return asyncio.create_task(wait())
