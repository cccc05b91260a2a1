"""call.dial -> dial.refused | (a live call, whose events leave by the outbox)."""

from __future__ import annotations

from media_gateway.domain.admission import Limits, TrunkLoad, choose_trunk, refusal_of
from media_gateway.handlers.deps import Deps
from media_gateway.handlers.live_call import LiveCall
from media_gateway.ports import NoMediaLeg
from outdial_contracts.events import CallDial, DialRefusal, DialRefused, Route
from outdial_runtime.outcome import NOTHING, Drop, Outcome, Publish
from outdial_runtime.service import Received


async def on_call_dial(message: Received[CallDial], deps: Deps) -> Outcome:
    """Admits or refuses, then starts the call; the message is done once the call lives: its clearance is single-use."""
    dial, standing = message.event, deps.standing
    if dial.attempt_id in standing.calls:
        return Drop("ALREADY_LIVE")
    route = standing.routes.get(dial.route_id)
    refusal = refusal_of(dial, deps.clearances.claims(dial.token), route, _limits(dial, deps))
    if refusal is None and deps.media.prompt(dial.safe_harbour) is None:
        refusal = DialRefusal.POLICY  # nobody is called who could not hear the message the law asks for
    if refusal is None and route is not None:
        refusal = await _start(dial, route, deps)
    return Publish([_refused(dial, refusal, deps)]) if refusal is not None else NOTHING


def _limits(dial: CallDial, deps: Deps) -> Limits:
    return Limits(
        now=deps.clock.now(),
        draining=deps.standing.draining,
        free_channels=deps.config.channels - len(deps.standing.calls),
        shifted_clock=deps.clock.shifted,
        owner_epoch=deps.standing.owner_epoch(dial.team_id),
    )


def _loads(route: Route, deps: Deps) -> dict[str, TrunkLoad]:
    for trunk in route.trunks:
        deps.standing.loads.setdefault(trunk.trunk_id, TrunkLoad(filled_at=deps.clock.monotonic()))
    return deps.standing.loads


async def _start(dial: CallDial, route: Route, deps: Deps) -> DialRefusal | None:
    """A trunk, a media leg, and the call's own task; the leg first, so that a granted call never lacks one."""
    trunk, missing = choose_trunk(route, _loads(route, deps), deps.clock.monotonic())
    if trunk is None:
        return missing
    try:
        leg = await deps.media.open_leg()
    except NoMediaLeg:
        return DialRefusal.CAPACITY
    call = LiveCall(dial, trunk, route.max_duration_seconds, leg, deps)
    deps.standing.calls[dial.attempt_id] = call
    deps.standing.loads[trunk.trunk_id].live += 1
    deps.start(_live(call, deps))
    return None


async def _live(call: LiveCall, deps: Deps) -> None:
    try:
        await call.run()
    finally:
        deps.standing.calls.pop(call.dial.attempt_id, None)
        deps.standing.loads[call.trunk.trunk_id].live -= 1


def _refused(dial: CallDial, reason: DialRefusal, deps: Deps) -> DialRefused:
    return DialRefused(
        attempt_id=dial.attempt_id,
        team_id=dial.team_id,
        campaign_id=dial.campaign_id,
        campaign_version=dial.campaign_version,
        context=dial.context,
        gateway_id=deps.config.gateway_id,
        lease_id=dial.lease_id,
        reason=reason,
        refused_at=deps.clock.now(),
    )
