"""Ticks -> gateway.capacity, agent.leg; and the drain."""

from __future__ import annotations

import asyncio

from media_gateway.handlers.agents import announce_legs, hang_up_silent_phones
from media_gateway.handlers.deps import Deps
from media_gateway.handlers.mailbox import GiveUp, HangUp
from outdial_contracts.events import GatewayCapacity
from outdial_runtime.outcome import NOTHING, Emit, Outcome, Publish
from outdial_runtime.service import TickInput

CAPACITY_SECONDS = 2.0
LEGS_SECONDS = 4.0
HANG_UP_SECONDS = 3.0


async def on_capacity_tick(tick: TickInput, deps: Deps) -> Outcome:
    """Says what this gateway can take and what lives on it."""
    return Publish([Emit(event=capacity(deps), cause=f"{deps.boot_id}:{tick.now.isoformat()}")])


async def on_legs_tick(tick: TickInput, deps: Deps) -> Outcome:
    """Repeats every leg that is up, so that a pacer that starts anew knows it soon."""
    hang_up_silent_phones(deps)
    events = announce_legs(deps)
    if not events:
        return NOTHING
    return Publish([Emit(event=event, cause=f"{event.leg_id}:{tick.now.isoformat()}") for event in events])


def capacity(deps: Deps) -> GatewayCapacity:
    """The gateway's state now; nothing free while it drains."""
    free = 0 if deps.standing.draining else max(0, deps.config.channels - len(deps.standing.calls))
    return GatewayCapacity(
        gateway_id=deps.config.gateway_id,
        boot_id=deps.boot_id,
        partition=deps.config.partition,
        address=deps.config.grpc_address,
        free_channels=free,
        live_attempt_ids=tuple(deps.standing.calls),
        draining=deps.standing.draining,
        at=deps.clock.now(),
    )


async def drain(deps: Deps) -> None:
    """No new calls; live ones and opt-outs finish within the drain time, then calls are hung up and phones let go."""
    deps.standing.draining = True
    deps.outbox.emit(Emit(event=capacity(deps), cause=f"{deps.boot_id}:draining"))
    for call in list(deps.standing.calls.values()):
        if not call.answered:
            call.mailbox.put(GiveUp())
    if not await _idle(deps, deps.config.drain_seconds):
        for call in list(deps.standing.calls.values()):
            call.mailbox.put(HangUp(by_agent=False))
        await _idle(deps, HANG_UP_SECONDS)
    for phone in list(deps.standing.phones.values()):
        phone.call.hang_up()


async def _idle(deps: Deps, seconds: float) -> bool:
    """True once no call and no opt-out is under way, False when some still is after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            for call in list(deps.standing.calls.values()):
                await call.over.wait()
            if deps.standing.opt_outs:
                await asyncio.wait(deps.standing.opt_outs)
    except TimeoutError:
        return False
    return True
