"""`outdial-sim carrier`: opens the journal and the sockets, runs until it is told to stop."""

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from outdial_sim.carrier.control import routes
from outdial_sim.carrier.server import Carrier
from outdial_sim.http_server import serving
from outdial_sim.journal import Journal
from outdial_sim.scenario import Scenario
from outdial_sim.stopping import until_signalled
from outdial_sim.voices import Voices
from outdial_sim.wire.digest import Account, Guard

REALM = "carrier"


@dataclass(frozen=True, kw_only=True)
class CarrierOptions:
    """What the command line says; `port` 0 lets the operating system choose."""

    host: str
    port: int
    log: Path
    control_port: int | None
    account: Account


async def start(scenario: Scenario, voices: Voices, journal: Journal, options: CarrierOptions) -> Carrier:
    """Bind the SIP port and return the carrier; the caller closes it."""
    loop = asyncio.get_running_loop()
    guard = Guard(account=options.account, realm=REALM, key=secrets.token_bytes(16))
    _, carrier = await loop.create_datagram_endpoint(
        lambda: Carrier(
            scenario=scenario,
            voices=voices,
            journal=journal,
            guard=guard if scenario.carrier.digest else None,
            wall_offset=time.time() - loop.time(),
        ),
        local_addr=(options.host, options.port),
    )
    return carrier


async def run(scenario: Scenario, voices: Voices, options: CarrierOptions) -> None:
    """Serve until SIGINT or SIGTERM."""
    with Journal(options.log) as journal:
        carrier = await start(scenario, voices, journal, options)
        try:
            async with AsyncExitStack() as stack:
                if options.control_port is not None:
                    control = serving(options.host, options.control_port, partial(routes, carrier))
                    await stack.enter_async_context(control)
                await until_signalled()
        finally:
            carrier.close()
